"""Authentication: issues and verifies the tokens that the other services trust."""

VERSION = "1.0.0"
