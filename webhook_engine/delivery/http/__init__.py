"""One HTTP request, and what came of it."""
