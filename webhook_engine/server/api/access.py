"""Access to the portal on the wire: links, sessions, and logging out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from webhook_engine.clock import microseconds
from webhook_engine.errors import NotFoundError
from webhook_engine.model import Application
from webhook_engine.rules.capabilities import READ_ONLY, Capability
from webhook_engine.server.api import checks
from webhook_engine.server.api.applications import ApplicationIn, ensure_application
from webhook_engine.server.api.operator import organization_token
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Route
from webhook_engine.server.auth import LEEWAY
from webhook_engine.server.errors import ApiError, Problem
from webhook_engine.server.revocations import AT_ONCE, EVERY_TOKEN, application_subject, session_subject
from webhook_engine.server.tokens import ORGANIZATION_LIFETIME, TOKEN_ID_PREFIX, application_claims
from webhook_engine.store.revocations import Revocation

__all__ = ["ROUTES"]

MIN_EXPIRY_S, MAX_EXPIRY_S = 3600, 7 * 24 * 3600
MAX_FLAGS = 25
MAX_SESSIONS = 1000
LONGEST_WAIT_S = 259_200

_SESSION_ID = re.compile(r"[a-zA-Z0-9@_\-]{1,64}").fullmatch


class AppPortalAccessIn(In, frozen=True, kw_only=True):
    """What a portal session may see and do."""

    feature_flags: list[str] = msgspec.field(default_factory=list)
    application: ApplicationIn | None = None
    expiry: int | None = None
    """How long the session lasts, in seconds."""
    capabilities: list[Capability] | None = None
    read_only: bool | None = None
    session_id: str | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from checks.items(("body", "feature_flags"), self.feature_flags)
        if len(self.feature_flags) > MAX_FLAGS:
            yield Problem(("body", "feature_flags"), f"At most {MAX_FLAGS} feature flags are allowed.")
        if self.expiry is not None and not MIN_EXPIRY_S <= self.expiry <= MAX_EXPIRY_S:
            yield Problem(("body", "expiry"), "Expiry must be between 1 hour and 7 days.")
        if self.session_id is not None and not _SESSION_ID(self.session_id):
            yield Problem(
                ("body", "session_id", "__all__"),
                "Session ids must be 1 to 64 characters and match the following pattern: [a-zA-Z0-9@_\\-].",
            )
        if self.application is not None:
            yield from self.application.problems("body", "application")

    def granted(self) -> Sequence[str] | None:
        """The capabilities; ``None`` means all."""
        if self.read_only:
            return READ_ONLY
        return self.capabilities


class AppPortalAccessOut(Out, frozen=True, kw_only=True):
    """A link to the portal, and a token."""

    url: str
    token: str


class PortalSessionIn(In, frozen=True, kw_only=True):
    """The key in a portal link."""

    key: str


class PortalSessionOut(Out, frozen=True, kw_only=True):
    """A portal session."""

    token: str
    application_id: str | None
    """``None`` for an operator, who sees every application of the organization."""
    capabilities: Sequence[str] | None
    feature_flags: Sequence[str]


class TokenExpireIn(In, frozen=True, kw_only=True):
    """Which tokens of an application to end, and in how many seconds."""

    expiry: Annotated[int, Meta(ge=0)] | None = None
    session_ids: list[str] | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        if self.expiry is not None and self.expiry > LONGEST_WAIT_S:
            yield Problem(("body", "expiry"), f"Expiry must be at most {LONGEST_WAIT_S} seconds.")
        if self.session_ids is not None and len(self.session_ids) > MAX_SESSIONS:
            yield Problem(("body", "session_ids"), f"At most {MAX_SESSIONS} session ids are allowed.")
        for index, session_id in enumerate(self.session_ids or ()):
            if not _SESSION_ID(session_id):
                yield Problem(("body", "session_ids", f"[{index}]", "__all__"), "This is not a session id.")


async def app_portal_access(call: Call[NoQuery, AppPortalAccessIn]) -> Out:
    """Create a link that opens the portal once, and a token for the same session."""
    application = await ensure_application(call, call.parameters["app_id"], call.body.application)
    return await _access(call, application, call.body)


async def dashboard_access(call: Call[NoQuery, NoBody]) -> Out:
    """Deprecated; like `app-portal-access`, without options."""
    try:
        application = await call.organization.applications.get(call.parameters["app_id"])
    except NotFoundError:
        raise ApiError(404, "not_found", "Application not found") from None
    return await _access(call, application, AppPortalAccessIn())


async def portal_session(call: Call[NoQuery, PortalSessionIn]) -> Out:
    """Exchange the key in a link for a token; that works once."""
    link = await call.context.links.open(call.body.key)
    if link is None:
        raise ApiError(401, "authentication_failed", "This link was used already, or has expired; ask for a new one.")
    if not link.application_id:
        lasting = timedelta(seconds=link.session_ttl_s)
        token = organization_token(call.context, link.organization_id, lasting)
        return PortalSessionOut(token=token, application_id=None, capabilities=None, feature_flags=())
    organization = call.context.engine.organization(link.organization_id)
    application = await organization.applications.get(link.application_id)
    token = _token(
        call,
        application,
        timedelta(seconds=link.session_ttl_s),
        feature_flags=link.feature_flags,
        capabilities=link.capabilities,
        session_id=link.session_id,
    )
    return PortalSessionOut(
        token=token,
        application_id=application.id,
        capabilities=link.capabilities,
        feature_flags=link.feature_flags,
    )


async def logout(call: Call[NoQuery, NoBody]) -> None:
    """Revoke the token of this request."""
    principal = call.principal
    revocation = Revocation(
        subject=principal.subjects[0],
        up_to=EVERY_TOKEN,
        effective_at=AT_ONCE,
        drop_at=principal.expires_at,
    )
    await call.context.revocations.add([revocation])


async def expire_all(call: Call[NoQuery, TokenExpireIn]) -> None:
    """Revoke the current tokens of the application, or those of some sessions, now or after a delay."""
    services, application_id = call.context.services, call.application.id
    now = services.clock.now()
    session_ids = call.body.session_ids or []
    subjects = [session_subject(application_id, each) for each in session_ids] or [application_subject(application_id)]
    expiry = microseconds(timedelta(seconds=call.body.expiry or 0))
    effective_at = now + expiry if expiry else AT_ONCE
    latest = services.ids.new(TOKEN_ID_PREFIX, now)
    await call.context.revocations.add(
        [
            Revocation(
                subject=subject,
                up_to=latest,
                effective_at=effective_at,
                drop_at=now + expiry + microseconds(ORGANIZATION_LIFETIME) + LEEWAY,
            )
            for subject in subjects
        ]
    )
    await services.store.portal_links.forget(application_id, session_ids)


async def _access(call: Call[Any, Any], application: Application, wanted: AppPortalAccessIn) -> AppPortalAccessOut:
    context = call.context
    configured = context.engine.config.portal.session_ttl
    session_ttl = configured if wanted.expiry is None else timedelta(seconds=wanted.expiry)
    options: dict[str, Any] = {
        "feature_flags": wanted.feature_flags,
        "capabilities": wanted.granted(),
        "session_id": wanted.session_id,
    }
    token = _token(call, application, session_ttl, **options)
    key = await context.links.create(application.organization_id, application.id, session_ttl, **options)
    return AppPortalAccessOut(url=f"{context.public_url}/portal/#key={key}", token=token)


def _token(call: Call[Any, Any], application: Application, lifetime: timedelta, **options: Any) -> str:
    services = call.context.services
    now = services.clock.now()
    return call.context.keys.sign(
        application_claims(
            application.organization_id,
            application.id,
            services.ids.new(TOKEN_ID_PREFIX, now),
            now // 1_000_000,
            lifetime,
            **options,
        )
    )


ROUTES = (
    Route(
        "POST",
        "/auth/app-portal-access/{app_id}",
        app_portal_access,
        auth=Auth.ORGANIZATION,
        body=AppPortalAccessIn,
        responses={200: AppPortalAccessOut},
        fails=(400, 404, 409),
        summary="Open the portal for an application",
        operation="authentication.app-portal-access",
    ),
    Route(
        "POST",
        "/auth/dashboard-access/{app_id}",
        dashboard_access,
        auth=Auth.ORGANIZATION,
        responses={200: AppPortalAccessOut},
        fails=(400, 404),
        summary="Open the portal for an application",
        operation="authentication.dashboard-access",
        deprecated=True,
    ),
    Route(
        "POST",
        "/auth/portal-session",
        portal_session,
        auth=Auth.NONE,
        body=PortalSessionIn,
        responses={200: PortalSessionOut},
        fails=(401, 404),
        summary="Exchange the key in a link to the portal for a token",
        operation="authentication.portal-session",
    ),
    Route(
        "POST",
        "/auth/logout",
        logout,
        auth=Auth.TOKEN,
        responses={204: None},
        summary="End the token of the request",
        operation="authentication.logout",
    ),
    Route(
        "POST",
        "/auth/app/{app_id}/expire-all",
        expire_all,
        auth=Auth.ORGANIZATION_APPLICATION,
        body=TokenExpireIn,
        responses={204: None},
        summary="End the tokens of an application",
        operation="authentication.expire-all",
    ),
)
