"""The consumers' portal: one page with small scripts that use only the public API, and the routes that serve it."""
