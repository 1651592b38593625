"""What callers can do: one module for each kind of resource, with its validation and addressing."""
