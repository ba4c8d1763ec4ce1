"""Bot manager: keeps the bots of each owner and starts and stops them."""

VERSION = "1.0.0"
