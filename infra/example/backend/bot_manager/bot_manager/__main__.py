"""Run the service: python -m bot_manager."""

from bot_manager.app import Application
from bot_manager.registry import BotRegistry
from bot_manager.web import serve

if __name__ == "__main__":
    serve(Application(BotRegistry.from_environment()).respond)
