"""Run the service: python -m authentication."""

from authentication.app import Application
from authentication.tokens import TokenIssuer
from authentication.web import serve

if __name__ == "__main__":
    serve(Application(TokenIssuer.from_environment()).respond)
