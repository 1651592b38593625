"""Import from other webhook servers, through their APIs or databases."""
