"""Scheduling: what is due when, and which lane may send now."""
