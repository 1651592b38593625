"""What a caller may say, once, for all ways in. On the standard library alone."""
