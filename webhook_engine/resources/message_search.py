"""Searching messages by an id, a URL, a text in the payload, or how they were delivered."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec

from webhook_engine.clock import to_datetime
from webhook_engine.errors import ValidationError
from webhook_engine.ids import id_bounds, timestamp_of
from webhook_engine.model import Application, AttemptStatus, Message
from webhook_engine.resources.services import Services
from webhook_engine.rules import values
from webhook_engine.rules.filters import message_choice
from webhook_engine.store.records import MessageSearch, Span

__all__ = ["SearchPage", "find", "search_of"]

WINDOW = 2_000
"""Messages examined in one query."""
WINDOW_BYTES = 16 * 1024 * 1024
"""Bytes of payloads examined in one query."""
MAX_WINDOWS = 25
PATIENCE_S = 0.2
"""Seconds after which a search returns what it has, once it has examined a window."""
MAX_TEXT = 500


class SearchPage(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, newest first, and how far the search has come."""

    messages: list[Message]
    iterator: str | None
    """The last message examined; the next search goes on from there."""
    looked_to: datetime | None
    done: bool
    """Whether all messages were examined."""


def search_of(
    text: str | None,
    status: AttemptStatus | None,
    status_codes: tuple[int, int] | None,
    failure: str | None,
    event_types: Collection[str] | None,
) -> MessageSearch:
    """Check the search criteria; raises ``ValidationError``."""
    wanted = None if text is None else text.strip()
    if wanted and len(wanted) > MAX_TEXT:
        raise ValidationError("text", f"must have at most {MAX_TEXT} characters")
    types = message_choice(event_types, None, None)["event_types"]
    return MessageSearch(
        text=wanted or None, status=status, status_codes=status_codes, failure=failure, event_types=types
    )


async def find(
    services: Services,
    application: Application,
    where: MessageSearch,
    *,
    endpoint: str | None,
    limit: int,
    iterator: str | None,
    before: datetime | None,
    after: datetime | None,
) -> SearchPage:
    """Search messages from the newest on, until a page is full or the time is up.

    A text that is the id or event id of a message finds that message. The id, uid or URL of an endpoint finds what was
    sent there. Any other text is searched for in the payloads.
    """
    low = None if after is None else id_bounds("msg_", values.instant("after", after))[0]
    high = iterator or (None if before is None else id_bounds("msg_", values.instant("before", before))[0])
    where, only = await _understood(services, application, where, endpoint)
    if only is not None and _alone(where):
        return SearchPage(messages=[only], iterator=only.id, looked_to=None, done=True)
    began, clock = services.clock.monotonic(), services.clock
    ids: list[str] = []
    for _ in range(MAX_WINDOWS):
        span = Span(low=low, high=high, limit=limit - len(ids))
        found, last = await services.store.messages.search(application.id, span, where, WINDOW, WINDOW_BYTES)
        ids += found
        if last is None:
            high = None
            break
        high = last
        if len(ids) >= limit or clock.monotonic() - began >= PATIENCE_S:
            break
    read = [await services.store.messages.get(application.id, identifier) for identifier in ids]
    return SearchPage(
        messages=[message for message in read if message is not None],
        iterator=high,
        looked_to=None if high is None else to_datetime(timestamp_of(high)),
        done=high is None,
    )


def _alone(where: MessageSearch) -> bool:
    """Whether the text is the only criterion."""
    return where == MessageSearch(text=where.text)


async def _understood(
    services: Services, application: Application, where: MessageSearch, endpoint: str | None
) -> tuple[MessageSearch, Message | None]:
    """Resolve the text: the search that it stands for, and the message that it names."""
    text, endpoint_ids = where.text, None
    only = None if text is None else await services.store.messages.get(application.id, text)
    if endpoint is not None:
        stored = await services.store.endpoints.get(application.id, endpoint)
        endpoint_ids = ("",) if stored is None else (stored.endpoint.id,)
    elif text is not None and only is None:
        of_text = await _endpoints(services, application, text)
        if of_text:
            return msgspec.structs.replace(where, text=None, endpoint_ids=of_text), None
    return msgspec.structs.replace(where, endpoint_ids=endpoint_ids), only


async def _endpoints(services: Services, application: Application, text: str) -> tuple[str, ...]:
    """The endpoints that a text names, if any."""
    if text.startswith(("http://", "https://")):
        stored = await services.store.endpoints.of_application(application.id)
        return tuple(one.endpoint.id for one in stored if text in one.endpoint.url)
    one = await services.store.endpoints.get(application.id, text)
    return () if one is None else (one.endpoint.id,)
