"""What every framework answers to a webhook that cannot be verified."""

from __future__ import annotations

from webhook_engine.secrets.signing import BodyNotJsonError, WebhookVerificationError

__all__ = ["refusal"]


def refusal(error: WebhookVerificationError) -> tuple[int, dict[str, str]]:
    """The status and the JSON body: 401 with the reason, or 400 for a genuine body that is no JSON."""
    if isinstance(error, BodyNotJsonError):
        return 400, {"code": "invalid_body", "detail": str(error)}
    return 401, {"code": "invalid_signature", "detail": str(error)}
