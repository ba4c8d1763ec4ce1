"""Its place lets the tests import the service."""
