"""The scenes of the demo; each is checked, at the receiver and in the engine's records."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.markup import escape
from rich.syntax import Syntax

from webhook_engine.cli.demo.receiver import Receiver, Request
from webhook_engine.cli.terminal import CommandError, glyph, out
from webhook_engine.config.values import format_duration
from webhook_engine.engine import Engine
from webhook_engine.events import EndpointDisabledEvent, EndpointEvent, EndpointFailingEvent
from webhook_engine.version import __version__

__all__ = ["tell"]

APPLICATION = "acme"
RETRY_SCHEDULE = tuple(timedelta(milliseconds=delay) for delay in (400, 700, 700, 700))
FAILURE_WINDOW = timedelta(milliseconds=1500)
PATIENCE_S = 8.0

LABEL = 13
"""Width of the first column, in characters."""

EMBEDDED = """\
async with Engine.open("webhooks.db") as engine:
    await engine.messages.create("acme", event_type="invoice.paid", payload={"id": 1})"""


@dataclass(frozen=True, eq=False)
class Scene:
    """A message to an endpoint, and the expected result."""

    title: str
    event_type: str
    path: str
    payload: dict[str, object]
    statuses: Sequence[int]
    """The receiver's status codes; the last one repeats."""
    moral: str


SCENES = (
    Scene(
        "A message is delivered",
        "invoice.paid",
        "/invoices",
        {"invoice": "INV-1", "amount": "42.00"},
        [200],
        "Signed with a secret that only this endpoint has.",
    ),
    Scene(
        "A receiver is down for a moment",
        "order.shipped",
        "/orders",
        {"order": 7, "parcels": 2},
        [503, 503, 200],
        "Every attempt has the same message id, so that repeats can be told.",
    ),
    Scene(
        "A receiver is down for good",
        "user.created",
        "/users",
        {"user": "ada"},
        [500],
        "Once it is enabled again, what failed can be recovered.",
    ),
)


async def tell() -> None:
    """Run all scenes in turn, then show what was recorded; raises ``CommandError`` if anything went wrong."""
    async with AsyncExitStack() as stack:
        stage = Stage()
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="webhook-engine-demo-"))
        receiver = await stack.enter_async_context(Receiver(stage.happened))
        database = Path(folder) / "webhooks.db"
        engine = await stack.enter_async_context(
            Engine.open(
                database,
                allow_subnets=["127.0.0.1/32"],
                retry_schedule=RETRY_SCHEDULE,
                jitter=0.0,
                failure_window=FAILURE_WINDOW,
            )
        )
        _introduce(database, receiver)
        await stage.set_up(engine, receiver)
        for number, scene in enumerate(SCENES, 1):
            out.print(f"\n[bold]{number}. {scene.title}[/]\n")
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await stage.play(scene)
            except TimeoutError:
                raise CommandError(f"after {PATIENCE_S:g} s, {scene.path} has not come to its end") from None
        out.print("\n[bold]What the database says[/]\n")
        await stage.review()
    _take_leave()


def _introduce(database: Path, receiver: Receiver) -> None:
    first_retry, window = format_duration(RETRY_SCHEDULE[0]), format_duration(FAILURE_WINDOW)
    out.print(f"[bold]Webhook Engine {__version__}[/] and all that it needs: a file, and somebody to send to.\n")
    _say("database", escape(str(database)))
    _say("receiver", f"{receiver.url}, which verifies what it gets")
    _say("in a hurry", f"the first retry comes after {first_retry} (usually 5s),")
    _say("", f"an endpoint that fails is disabled after {window} (usually 5d)")


def _take_leave() -> None:
    command = _as_typed("webhook-engine")
    out.print("\n[bold]What next[/]\n")
    _say("settings", f"[cyan]{command} check-config[/]")
    _say("receivers", f"[cyan]{command} verify --help[/]")
    _say("your code", "README.md shows the whole of it, in ten lines around these two:\n")
    for line in Syntax("", "python", theme="ansi_dark", background_color="default").highlight(EMBEDDED).split():
        out.print(" " * (LABEL + 3), line, soft_wrap=True)


def _as_typed(command: str) -> str:
    """The command as the user can type it: by its name if that is on the path, else by its path."""
    return command if shutil.which(command) else os.path.relpath(sys.argv[0])


def _say(label: str, text: str) -> None:
    out.print(f"  [dim]{label:<{LABEL}}[/]  {text}", soft_wrap=True)


class Stage:
    """The engine and the receiver, prepared for the scenes."""

    def __init__(self) -> None:
        self._happenings: asyncio.Queue[Request | EndpointEvent] = asyncio.Queue()
        self._endpoints: dict[Scene, str] = {}
        self._messages: dict[Scene, str] = {}
        self._began = 0.0

    def happened(self, what: Request | EndpointEvent) -> None:
        """Handle a request at the receiver, or an event of an endpoint."""
        self._happenings.put_nowait(what)

    async def set_up(self, engine: Engine, receiver: Receiver) -> None:
        """Create one application, with an endpoint for each scene that gets only that scene's messages."""
        self._engine = engine
        engine.on(EndpointFailingEvent)(self.happened)
        engine.on(EndpointDisabledEvent)(self.happened)
        await engine.applications.create(name="Acme", uid=APPLICATION)
        for scene in SCENES:
            await engine.event_types.create(name=scene.event_type, description=scene.title)
            endpoint = await engine.endpoints.create(
                APPLICATION, url=receiver.url + scene.path, event_types=[scene.event_type]
            )
            receiver.expect(scene.path, await engine.endpoints.get_secret(APPLICATION, endpoint.id), scene.statuses)
            self._endpoints[scene] = endpoint.id

    async def play(self, scene: Scene) -> None:
        """Send the message of a scene, and print what happens until its delivery is settled."""
        self._began = time.perf_counter()
        message = await self._engine.messages.create(APPLICATION, event_type=scene.event_type, payload=scene.payload)
        took_ms = (time.perf_counter() - self._began) * 1000
        self._messages[scene] = message.id
        self._say(f"[bold]{scene.event_type}[/] accepted, durable after {took_ms:.1f} ms  [dim]{message.id}[/]")
        settled = False
        while not settled:
            with out.status("[dim]the next attempt is not due yet[/]"):
                happening = await self._happenings.get()
            if isinstance(happening, Request):
                settled = self._tell_request(scene, happening)
            elif happening.endpoint_id == self._endpoints[scene]:
                settled = self._tell_event(happening)
        await self._engine.join()
        _say("", f"[dim]{scene.moral}[/]")

    def _tell_request(self, scene: Scene, request: Request) -> bool:
        """Print a request; returns whether it was the last of the scene."""
        if request.problem:
            raise CommandError(f"{request.path} refused its webhook: {request.problem}")
        if (request.path, request.message_id, request.payload) != (scene.path, self._messages[scene], scene.payload):
            raise CommandError(
                f"{request.path} got {request.message_id} with {request.payload!r}, which is not its own"
            )
        good = request.status < 300
        verified = f"[green]{glyph('✓', 'ok:')} signature verified[/]"
        status = f"[{'green' if good else 'red'}]{request.status}[/]"
        self._say(f"POST {request.path:<9}  {verified}   answered {status}")
        return good

    def _tell_event(self, event: EndpointEvent) -> bool:
        """Print an event; returns whether it was the last of the scene."""
        if isinstance(event, EndpointDisabledEvent):
            self._say(f"[bold red]{type(event).__name__}[/]: {event.reason}")
            return True
        self._say(f"[bold yellow]{type(event).__name__}[/]: half of the failure window is over")
        return False

    async def review(self) -> None:
        """Print what the engine recorded of each scene; raises ``CommandError`` if that differs from what happened."""
        for scene in SCENES:
            attempts = await self._engine.attempts.list_by_message(APPLICATION, self._messages[scene])
            statuses = [attempt.response_status_code for attempt in reversed(attempts.data)]
            endpoint = await self._engine.endpoints.get(APPLICATION, self._endpoints[scene])
            succeeds = scene.statuses[-1] < 300
            missing = len(statuses) - len(scene.statuses) if not succeeds else 0
            if statuses != [*scene.statuses, *[scene.statuses[-1]] * missing] or endpoint.disabled is succeeds:
                raise CommandError(f"{scene.path} was recorded as {statuses}, disabled: {endpoint.disabled}")
            outcome = "[green]delivered[/]" if succeeds else "[red]failed[/], endpoint disabled"
            _say(scene.event_type, f"{' '.join(map(str, statuses)):<18}{outcome}")

    def _say(self, text: str) -> None:
        _say(f"+{time.perf_counter() - self._began:.2f} s", text)
