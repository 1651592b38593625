"""Thin adapters to web frameworks: running the engine inside them, and receiving webhooks with them."""
