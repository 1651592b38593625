"""Play: temporary inboxes for testing without a server of one's own. Each shows its received requests on a page."""
