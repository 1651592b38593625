"""Play: temporary inboxes for someone without a server yet. What is sent to one can be watched on its page."""
