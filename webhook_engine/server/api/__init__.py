"""The wire contract: every route of the API, declared once, for dispatch, validation, permission and its document."""
