"""What a session of the portal, and the token that it works with, may be allowed to do."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["READ_ONLY", "Capability"]


class Capability(StrEnum):
    """What an application token may be allowed to do."""

    VIEW_BASE = "ViewBase"
    VIEW_ENDPOINT_SECRET = "ViewEndpointSecret"  # noqa: S105
    MANAGE_ENDPOINT_SECRET = "ManageEndpointSecret"  # noqa: S105
    MANAGE_TRANSFORMATIONS = "ManageTransformations"
    CREATE_ATTEMPTS = "CreateAttempts"
    MANAGE_ENDPOINT = "ManageEndpoint"


READ_ONLY = (Capability.VIEW_BASE, Capability.VIEW_ENDPOINT_SECRET)
"""What changes nothing."""
