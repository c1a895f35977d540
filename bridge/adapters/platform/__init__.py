"""The platform's HTTP API, client side."""
