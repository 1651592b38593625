"""The consumers' portal: one page with small scripts that talk to the public API alone, and what serves them."""
