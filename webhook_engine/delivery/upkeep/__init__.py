"""Upkeep of the engine's database."""
