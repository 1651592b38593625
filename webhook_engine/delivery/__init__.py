"""The way of a message to its endpoints, one noun a module; ``docs/architecture.md`` draws it."""
