"""Helper processes of an engine, for work that must not block its event loop."""
