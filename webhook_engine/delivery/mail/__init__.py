"""Alerts by e-mail: what a letter says, and the way to the mail server."""
