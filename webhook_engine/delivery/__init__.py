"""The delivery of messages to endpoints, one concept per module; ``docs/architecture.md`` has a diagram."""
