"""Background tasks: they survive a restart, and report progress."""
