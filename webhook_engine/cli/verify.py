"""``webhook-engine verify``: whether a received webhook is authentic, and if not, why."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from webhook_engine.cli.terminal import CommandError, err, glyph, out
from webhook_engine.clock import ManualClock, to_datetime
from webhook_engine.config.values import parse_duration
from webhook_engine.errors import ValidationError
from webhook_engine.secrets.signing import TimestampError, Webhook, WebhookVerificationError

__all__ = ["verify"]


STANDARD_INPUT = Path("-")


def verify(
    *,
    secret: Annotated[
        list[str],
        typer.Option(
            envvar="WEBHOOK_SECRET",
            help="The endpoint's signing secret, whsec_… or whpk_…; may be given several times.",
        ),
    ],
    message_id: Annotated[str, typer.Option("--id", help="The header webhook-id.")],
    timestamp: Annotated[str, typer.Option(help="The header webhook-timestamp.")],
    signature: Annotated[str, typer.Option(help="The header webhook-signature.")],
    body: Annotated[
        Path,
        typer.Argument(metavar="FILE|-", help="The body, byte for byte; - is standard input."),
    ] = STANDARD_INPUT,
    tolerance: Annotated[str, typer.Option(metavar="DURATION", help="How old the webhook may be.")] = "5m",
) -> None:
    """Verify a webhook that was received, and say which mistake was made if it is not authentic.

    Exits with 0 if it is authentic, and with 1 if it is not.
    """
    longest = _duration(tolerance)
    headers = {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    received = _read(body)
    try:
        Webhook(*secret, tolerance=longest).check(received, headers)
    except TimestampError as problem:
        raise CommandError(f"{problem}{_apart_from_time(secret, received, headers)}") from None
    except WebhookVerificationError as problem:
        raise CommandError(str(problem)) from None
    except ValidationError as problem:
        raise typer.BadParameter(problem.problem, param_hint="--secret") from None
    signed_at = to_datetime(int(timestamp) * 1_000_000)
    mark = glyph("✓", "ok:")
    out.print(f"[green]{mark}[/] authentic, signed at {signed_at:%Y-%m-%d %H:%M:%S} UTC; {len(received)} bytes")


def _read(body: Path) -> bytes:
    if body != STANDARD_INPUT:
        try:
            return body.read_bytes()
        except OSError as problem:
            raise typer.BadParameter(f"{body} cannot be read: {problem.strerror}", param_hint="FILE") from None
    if sys.stdin.isatty():
        err.print("Type or paste the body, and end it with Ctrl-D.", style="dim")
    return sys.stdin.buffer.read()


def _duration(text: str) -> timedelta:
    try:
        duration = parse_duration(text)
    except ValueError as problem:
        raise typer.BadParameter(
            f"{problem}; give a number with a unit: 90s, 5m, 3h, 365d", param_hint="--tolerance"
        ) from None
    if not duration:
        raise typer.BadParameter("this is no time at all", param_hint="--tolerance")
    return duration


def _apart_from_time(secrets: list[str], received: bytes, headers: dict[str, str]) -> str:
    """Other findings about a webhook whose only known problem is its timestamp."""
    try:
        then = to_datetime(int(headers["webhook-timestamp"]) * 1_000_000)
        Webhook(*secrets, clock=ManualClock(then)).check(received, headers)
    except (ValueError, OverflowError):
        return ""
    except WebhookVerificationError as problem:
        return f". Besides, {problem}"
    return ". Apart from that it is authentic; a longer --tolerance accepts it"
