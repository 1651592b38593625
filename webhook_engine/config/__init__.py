"""Configuration: kinds of values, the sections with their settings, and loading them."""
