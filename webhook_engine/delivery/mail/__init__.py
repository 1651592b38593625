"""Alerts by e-mail: their texts, and sending them."""
