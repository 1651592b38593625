"""Processes that an engine keeps beside itself, for work that must not hold up its event loop."""
