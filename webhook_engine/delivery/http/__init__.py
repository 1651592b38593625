"""The HTTP client: one request and its response or failure."""
