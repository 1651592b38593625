"""From an accepted message or an outbox row to stored deliveries."""
