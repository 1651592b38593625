"""``webhook-engine send``: send a message, with its payload byte for byte."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from webhook_engine.cli.client import Client
from webhook_engine.cli.connected import AppArgument, changes, connected, instant
from webhook_engine.cli.message import Message
from webhook_engine.cli.show import decoded, said
from webhook_engine.cli.terminal import UsageError, err

__all__ = ["send"]

STANDARD_INPUT = "-"


@connected
def send(
    client: Client,
    app: AppArgument,
    event_type: Annotated[str, typer.Argument(metavar="EVENT_TYPE", help="Such as invoice.paid.")],
    payload: Annotated[
        str, typer.Argument(metavar="PAYLOAD|@FILE|-", help="A JSON object, the file it is in, or standard input.")
    ] = STANDARD_INPUT,
    event_id: Annotated[
        str | None, typer.Option(help="Your own id of the event: a second message with it is refused.")
    ] = None,
    channel: Annotated[list[str] | None, typer.Option("--channel", help="May be repeated.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="To find it by; may be repeated.")] = None,
    deliver_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Not before this time, or in how long, as 90m.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Send it although it is no JSON object.")] = False,
    content_type: Annotated[
        str | None, typer.Option(metavar="TYPE", help="What it is sent as, such as application/xml. [default: JSON]")
    ] = None,
    ordering_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="What it keeps its order with, at endpoints that keep one.")
    ] = None,
    idempotency_key: Annotated[
        str, typer.Option(metavar="KEY", help="A command that is repeated with it within 12 hours sends only once.")
    ] = "",
) -> None:
    """Send a message to the endpoints of an application that subscribed to it.

    The payload is delivered byte for byte as it is given, white space and all.
    """
    body = changes(
        eventType=event_type,
        eventId=event_id,
        channels=channel or None,
        tags=tag or None,
        deliverAt=instant(deliver_at, "--deliver-at", ahead=True),
        orderingKey=ordering_key,
    )
    body |= _content(_read(payload), raw=raw, content_type=content_type)
    response = client.post(["app", app, "msg"], body, query={"with_content": client.as_json}, key=idempotency_key)
    made = "" if client.as_json else decoded(response, Message).id
    said(client, response, f"{made} is accepted; `webhook-engine message get {app} {made}` shows what comes of it")


def _read(payload: str) -> bytes:
    if payload == STANDARD_INPUT:
        if sys.stdin.isatty():
            err.print("Type or paste the payload, and end it with Ctrl-D.", style="dim")
        return sys.stdin.buffer.read()
    if payload.startswith("@"):
        try:
            return Path(payload[1:]).read_bytes()
        except OSError as problem:
            raise UsageError(f"PAYLOAD {payload}: cannot be read: {problem.strerror}") from None
    return payload.encode("utf-8", "surrogateescape")


def _content(payload: bytes, *, raw: bool, content_type: str | None) -> dict[str, object]:
    """The members of the body that describe the content.

    JSON loses the white space around a value, so a payload with such white space is sent as text as well.
    """
    try:
        text = payload.decode()
    except UnicodeDecodeError as problem:
        raise UsageError(f"PAYLOAD: it is not valid UTF-8 (byte {problem.start})") from None
    given: dict[str, object] = {} if content_type is None else {"headers": {"content-type": content_type}}
    if not raw:
        _check(payload)
        if payload.startswith(b"{") and payload.endswith(b"}"):
            return {"payload": msgspec.Raw(payload)} | ({"transformationsParams": given} if given else {})
    return {"payload": {}, "transformationsParams": {"rawPayload": text, **given}}


def _check(payload: bytes) -> None:
    if not payload.strip():
        raise UsageError("PAYLOAD: it is empty; give a JSON object such as '{\"id\": 1}'")
    try:
        msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        raise UsageError("PAYLOAD: it must be a JSON object; --raw sends it although it is none") from None
    except (msgspec.DecodeError, RecursionError) as problem:
        raise UsageError(
            f"PAYLOAD: it is no JSON ({problem}); quote it, as in '{{\"id\": 1}}', or send it as it is with --raw"
        ) from None
