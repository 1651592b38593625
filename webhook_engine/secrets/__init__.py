"""Signing secrets and the engine's own secrets: signing, encryption at rest, rotation."""
