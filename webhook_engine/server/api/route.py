"""A route of the API, declared in one place, and how it handles a request.

The order of the steps is part of the contract: query, token, scope, application, body, and then the handler.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property, partial
from typing import ClassVar, Generic, Protocol, TypeVar

import msgspec

from webhook_engine.errors import NotFoundError, ValidationError
from webhook_engine.model import Application
from webhook_engine.resources.organization import Organization
from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api.query import ListQuery, NoQuery, Query, query_parser
from webhook_engine.server.audit import UNAUDITED
from webhook_engine.server.auth import Principal
from webhook_engine.server.context import Context
from webhook_engine.server.errors import ApiError, Problem, UnprocessableError, malformed, problem_in
from webhook_engine.store.kept_responses import KeptResponse

__all__ = [
    "Auth",
    "Call",
    "Client",
    "Handler",
    "In",
    "Keep",
    "NoBody",
    "Out",
    "Reply",
    "Response",
    "Route",
    "forbidden",
]

Q = TypeVar("Q", bound=Query)
B = TypeVar("B", bound="In")

_PARAMETER = re.compile(r"\{(\w+)\}")
_encode = msgspec.json.Encoder().encode


class In(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of request bodies; unknown members are ignored."""

    ALSO_REQUIRED: ClassVar[tuple[str, ...]] = ()
    """Required members that :meth:`problems` checks, because they have an alias."""

    def problems(self) -> Iterator[Problem]:
        """What is not allowed, although it has the right type."""
        return iter(())


class NoBody(In, frozen=True, kw_only=True, rename="camel"):
    """For routes that ignore the body."""


class Out(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of response bodies. Fields keep their order on the wire; ``UNSET`` ones are left out."""


class Auth(Enum):
    """The token that a route requires."""

    NONE = auto()
    TOKEN = auto()
    """Any."""
    ORGANIZATION = auto()
    ORGANIZATION_APPLICATION = auto()
    """The organization's; the application in the path must exist."""
    APPLICATION = auto()
    """The organization's, or that of the application in the path."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A success with another status than the default."""

    status: int
    value: Out | None


class Response(msgspec.Struct, frozen=True, gc=False):
    """A response."""

    status: int
    body: bytes
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


Keep = Callable[[Response], KeptResponse]
"""Makes the record that the store keeps of a response, for a request with an idempotency key."""


class Client(Protocol):
    """The program that sent a request."""

    @property
    def user_agent(self) -> str:
        """The ``User-Agent`` header."""

    def left(self) -> bool:
        """Whether the client has closed the connection and no longer waits for the response."""

    def address(self) -> str | None:
        """The client's address, behind any trusted proxies."""


@dataclass(slots=True)
class Call(Generic[Q, B]):
    """A request that is being handled by a route."""

    context: Context
    parameters: Mapping[str, str]
    query: Q
    body: B
    visitor: Principal | None
    found: Application | None
    kept: Callable[[Out], KeptResponse | None]
    """Turns the response into a record to store in the same transaction as the change itself.

    A handler that can store it so calls this once, before it stores its change; for all others the response is kept
    afterwards.
    """
    client: Client

    @property
    def principal(self) -> Principal:
        """The caller; raises ``LookupError`` on a route without authentication."""
        if self.visitor is None:
            raise LookupError("this route takes requests without a token")
        return self.visitor

    @property
    def organization(self) -> Organization:
        """The managers of the token's organization."""
        return self.principal.organization

    @property
    def application(self) -> Application:
        """The application in the path; raises ``LookupError`` unless the route requires an existing one."""
        if self.found is None:
            raise LookupError("this route does not look up an application")
        return self.found


Handler = Callable[[Call[Q, B]], Awaitable[Out | Reply | None]]


class Route(Generic[Q, B]):
    """An HTTP method of a path."""

    def __init__(
        self,
        method: str,
        path: str,
        handler: Handler[Q, B],
        *,
        auth: Auth,
        responses: Mapping[int, type[Out] | None],
        summary: str,
        operation: str,
        query: type[Q] = NoQuery,  # type: ignore[assignment]
        body: type[B] = NoBody,  # type: ignore[assignment]
        needs: Capability | None = None,
        fails: Sequence[int] = (),
        deprecated: bool = False,
        secret: bool = False,
        hot: bool = False,
    ) -> None:
        """``responses``: type by status, the default first. ``fails``: further statuses that may occur.

        ``hot``: it is called often and does little, so that plain requests take the short way to it. ``needs``: the
        capability that an application token must have. ``operation``: its name in the document, like
        ``application.list``.
        """
        self.method = method
        self.path = path
        self.handler = handler
        self.auth = auth
        self.responses = responses
        self.summary = summary
        self.operation = operation
        self.query_type = query
        self.body_type = body
        self.needs = needs
        self.fails = fails
        self.deprecated = deprecated
        self.hot = hot
        self.parameters: tuple[str, ...] = tuple(_PARAMETER.findall(path))
        self.reads_body = body is not NoBody
        self.audited = method != "GET" and auth is not Auth.NONE and operation not in UNAUDITED
        self.lists = issubclass(query, ListQuery)
        """Whether it returns a page of a list, which may be large."""
        self._status = next(iter(responses))
        self._no_body = None if self.reads_body else body()

    # Built at the first call: few of the routes are called, and building all takes a while.

    @cached_property
    def _parse_query(self) -> Callable[[str], Q]:
        return query_parser(self.query_type)

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[B]:
        return msgspec.json.Decoder(self.body_type)

    async def run(
        self,
        context: Context,
        parameters: Mapping[str, str],
        query: str,
        authorization: str | None,
        body: bytes,
        client: Client,
        keep: Keep | None = None,
    ) -> Response:
        """Handle a request; raises ``ApiError`` or an error of the engine.

        ``keep`` is given with an idempotency key.
        """
        parsed = self._parse_query(query)
        visitor, application = None, None
        if self.auth is not Auth.NONE:
            visitor = context.authenticator.principal(authorization)
            if self.auth is not Auth.ORGANIZATION or visitor.application_id is not None:
                application = await self._authorized(visitor, context, parameters)
        decoded = self._no_body or self._decoded(body)
        kept = _nothing_kept if keep is None else partial(self._kept, keep)
        call = Call(context, parameters, parsed, decoded, visitor, application, kept, client)
        try:
            outcome = await self.handler(call)
        except ValidationError as error:
            raise self._unprocessable(error) from error
        if self.audited:
            await self._audit(call, outcome)
        if isinstance(outcome, Reply):
            return Response(outcome.status, b"" if outcome.value is None else _encode(outcome.value))
        return self._response(outcome)

    async def _audit(self, call: Call[Q, B], outcome: Out | Reply | None) -> None:
        """Write the change to the audit log; getting an existing application is not a change."""
        if isinstance(outcome, Reply) and self.operation == "application.create":
            return
        made = outcome.value if isinstance(outcome, Reply) else outcome
        named = call.parameters.get(self.parameters[-1]) if self.parameters else None
        if named is None or self.method in ("PUT", "PATCH") or self.operation.endswith(".create"):
            named = getattr(made, "id", None) or getattr(made, "name", None) or named
        application = None if call.found is None else call.found.id
        if application is None and (key := call.parameters.get("app_id")) is not None:
            known = call.context.services.directory.cached_application(call.organization.id, key)
            application = key if known is None else known.id
        if self.operation.startswith("application."):
            application = getattr(made, "id", application)
        await call.context.audit.record(
            call.principal,
            self.operation,
            application_id=application or call.principal.application_id,
            target=named,
            body=call.body,
            address=call.client.address,
        )

    def _kept(self, keep: Keep, out: Out) -> KeptResponse:
        return keep(self._response(out))

    def _response(self, out: Out | None) -> Response:
        """The default success."""
        return Response(self._status, b"" if out is None else _encode(out))

    async def _authorized(
        self, visitor: Principal, context: Context, parameters: Mapping[str, str]
    ) -> Application | None:
        """The application in the path, if the route needs it; raises ``ApiError`` with 403 or 404."""
        if visitor.application_id is not None:
            if self.auth in (Auth.ORGANIZATION, Auth.ORGANIZATION_APPLICATION):
                raise forbidden()
            await self.check_token(visitor, context)
        application = None
        if self.auth in (Auth.APPLICATION, Auth.ORGANIZATION_APPLICATION):
            application = await self._application(visitor, context, parameters["app_id"])
        if self.needs is not None and not visitor.may(self.needs):
            raise forbidden()
        return application

    async def check_token(self, visitor: Principal, context: Context) -> None:
        """Reject the token of a deleted application; raises ``NotFoundError``."""
        if visitor.application_id is not None:
            await self._application(visitor, context, visitor.application_id)

    async def _application(self, visitor: Principal, context: Context, key: str) -> Application:
        application = context.services.directory.cached_application(visitor.organization.id, key)
        if application is None:
            application = await visitor.organization.applications.get(key)
        if visitor.application_id is not None and application.id != visitor.application_id:
            raise NotFoundError("application", key)
        return application

    def _decoded(self, body: bytes) -> B:
        try:
            decoded = self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise malformed(error) from None
        if problems := list(decoded.problems()):
            raise UnprocessableError(*problems)
        return decoded

    def _unprocessable(self, error: ValidationError) -> ApiError:
        name = error.field.partition("[")[0]
        if name in self.parameters:
            place = "path"
        else:
            kinds = (self.query_type, self.body_type)
            of_query, of_body = ({each.name for each in msgspec.structs.fields(kind)} for kind in kinds)
            place = "query" if name in of_query - of_body else "body"
        return UnprocessableError(problem_in(place, error))


def _nothing_kept(_out: Out) -> None:
    """Keep nothing, for a request without an idempotency key."""


def forbidden() -> ApiError:
    """The response to a valid token without the required rights."""
    return ApiError(403, "insufficient access", "Insufficient access for the given operation.")
