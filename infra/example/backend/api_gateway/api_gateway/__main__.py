"""Run the service: python -m api_gateway."""

from api_gateway.app import Application
from api_gateway.upstream import Upstream
from api_gateway.web import serve

if __name__ == "__main__":
    authentication = Upstream.from_environment("AUTHENTICATION_URL", "http://authentication:8000")
    bot_manager = Upstream.from_environment("BOT_MANAGER_URL", "http://bot-manager:8000")
    serve(Application(authentication, bot_manager).respond)
