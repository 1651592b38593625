"""Validation rules for what callers pass in, shared by the outbox, the resources, the server and the command line."""
