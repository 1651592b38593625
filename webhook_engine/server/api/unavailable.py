"""Names the operations of the wire contract that this server lacks, so that no one takes the error for a typo."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.server.errors import ApiError

__all__ = ["not_allowed", "not_found"]

_FEATURES = {
    ("app", "*", "endpoint", "*", "oauth"): "Routes for OAuth",
    ("app", "*", "endpoint", "*", "mtls"): "Routes for client certificates",
    ("app", "*", "destination"): "Further routes of destinations",
    ("app", "*", "stream"): "The older name of destinations",
    ("app", "*", "integration"): "Integrations",
    ("app", "*", "inbound"): "Inbound addresses",
    ("app", "*", "autoconfig"): "Automatic configuration of endpoints",
    ("app", "*", "auto-config"): "Automatic configuration of endpoints",
    ("app", "*", "polling-endpoint"): "Polling endpoints",
    ("auth", "stream-portal-access"): "Streaming",
    ("auth", "stream-logout"): "Streaming",
    ("auth", "stream"): "Streaming",
    ("connector",): "Connectors",
    ("ingest",): "Ingest",
    ("integration",): "Integrations",
    ("management",): "The management API",
    ("stream",): "Streaming",
    ("transformation-template",): "Transformations",
}


def not_found(segments: Sequence[str]) -> ApiError:
    """The response for a path without a route."""
    feature = _feature(segments)
    if feature is not None:
        return ApiError(404, "not_found", f"{feature} of the hosted API: this server does not have it.")
    return ApiError(404, "not_found", "There is no such route; /docs lists those there are.")


def not_allowed(allowed: Sequence[str]) -> ApiError:
    """The response for a path that does not take the method."""
    return ApiError(405, "method_not_allowed", f"This route takes {', '.join(sorted(allowed))}.")


def _feature(segments: Sequence[str]) -> str | None:
    for pattern, feature in _FEATURES.items():
        if len(segments) >= len(pattern) and all(
            want in ("*", segment) for want, segment in zip(pattern, segments, strict=False)
        ):
            return feature
    return None
