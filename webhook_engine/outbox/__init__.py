"""The transactional outbox: what a host program writes in its own transaction."""
