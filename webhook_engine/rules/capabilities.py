"""The capabilities of a portal session, and of its token."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["READ_ONLY", "Capability"]


class Capability(StrEnum):
    """A capability of an application token."""

    VIEW_BASE = "ViewBase"
    VIEW_ENDPOINT_SECRET = "ViewEndpointSecret"  # noqa: S105
    MANAGE_ENDPOINT_SECRET = "ManageEndpointSecret"  # noqa: S105
    MANAGE_TRANSFORMATIONS = "ManageTransformations"
    CREATE_ATTEMPTS = "CreateAttempts"
    MANAGE_ENDPOINT = "ManageEndpoint"


READ_ONLY = (Capability.VIEW_BASE, Capability.VIEW_ENDPOINT_SECRET)
"""The capabilities that allow no changes."""
