"""What a caller does: one module for each kind of resource, with its rules of validation and addressing."""
