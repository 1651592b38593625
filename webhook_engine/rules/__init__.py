"""What a caller may say, once: read by the outbox in other programs, the resources, the server and the command line."""
