"""API gateway: the one door of the platform, checks tokens and forwards to the services."""

VERSION = "1.0.0"
