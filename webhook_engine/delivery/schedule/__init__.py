"""What is due when, and who may send now."""
