"""The daemon's HTTP: the API, and what is served beside it. Built on a running engine, which knows nothing of it."""
