"""Coming from elsewhere: what other webhook servers keep, read from their APIs and databases, and taken over here."""
