"""The HTTP server: the API and the pages, on top of a running engine. The engine does not depend on it."""
