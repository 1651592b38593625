"""The response, in every framework, to a webhook that does not verify."""

from __future__ import annotations

from webhook_engine.secrets.signing import BodyNotJsonError, WebhookVerificationError

__all__ = ["refusal"]


def refusal(error: WebhookVerificationError) -> tuple[int, dict[str, str]]:
    """The status and the JSON body: 401 with the reason, or 400 if only the body is not JSON."""
    if isinstance(error, BodyNotJsonError):
        return 400, {"code": "invalid_body", "detail": str(error)}
    return 401, {"code": "invalid_signature", "detail": str(error)}
