"""Receiving webhooks in a Django view."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from webhook_engine.integrations.refusal import refusal
from webhook_engine.secrets.signing import Webhook, WebhookVerificationError

__all__ = ["verify_webhook"]

View = Callable[..., HttpResponse]


def verify_webhook(webhook: Webhook) -> Callable[[View], View]:
    """Decorate a view that receives webhooks; requests that do not verify get 401 and the reason.

    The view is exempt from CSRF checks, since no webhook sender has a token; the signature is the stronger protection.
    The parsed body is ``request.webhook_body``.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                request.webhook_body = webhook.verify(request.body, dict(request.headers))
            except WebhookVerificationError as error:
                status, body = refusal(error)
                return JsonResponse(body, status=status)
            return view(request, *args, **kwargs)

        exempt: View = csrf_exempt(checked)
        return exempt

    return decorate
