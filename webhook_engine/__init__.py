"""Webhook Engine delivers webhooks reliably, from one SQLite file."""
