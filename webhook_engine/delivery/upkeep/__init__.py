"""What the engine does for its own database: it deletes what is old."""
