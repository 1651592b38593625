"""``webhook-engine listen``: forward the requests of a Play inbox to a server on this machine."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import unquote

import aiohttp
import typer
from multidict import CIMultiDict

from webhook_engine.cli.terminal import CommandError, err, glyph, out
from webhook_engine.config.loading import Config

__all__ = ["listen"]

LOOK_EVERY_S = 0.3
TRY_AGAIN_S = 2.0
PATIENCE_S = 30
_NOT_RELAYED = frozenset(
    {"host", "content-length", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect"}
)
# Anyone who knows the inbox may send to it; that must not give access to the whole local server.
_LEAVING = re.compile(r"(^|[/\\])\.\.?([/\\]|$)")


class _InboxGoneError(CommandError):
    """The inbox has expired."""


def listen(
    forward: Annotated[
        str, typer.Option(metavar="URL", help="Your server, such as http://localhost:3000/hook.", show_default=False)
    ],
    url: Annotated[
        str | None,
        typer.Option(
            envvar="WEBHOOK_ENGINE_URL", show_envvar=True, help="Where Play is; by default as configured here."
        ),
    ] = None,
    inbox: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="An inbox that is there already, instead of a new one.")
    ] = None,
) -> None:
    """Relay whatever arrives in an inbox of Play to your own server, until Ctrl-C.

    Add the inbox's URL as an endpoint; each request is repeated here with its method, headers and exact body, so that
    signatures verify. The sender gets the inbox's answer, not yours.
    """
    base = url or Config.load().server.url()
    if base is None:
        raise typer.BadParameter("the daemon listens at a Unix socket; say how it is reached", param_hint="--url")
    if not forward.startswith(("http://", "https://")):
        raise typer.BadParameter("must begin with http:// or https://", param_hint="--forward")
    with suppress(KeyboardInterrupt):
        asyncio.run(_relay(base.rstrip("/"), forward, inbox))


async def _relay(base: str, forward: str, token: str | None) -> None:
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as client:
        inbox, last = await _opened(client, base, token)
        out.print(f"Inbox   {inbox['url']}", markup=False, soft_wrap=True)
        out.print(f"Watch   {inbox['viewUrl']}", markup=False, soft_wrap=True)
        out.print(f"Relays  {glyph('→', '->')} {forward}", markup=False, soft_wrap=True)
        async for request in _arriving(client, base, str(inbox["token"]), last):
            await _repeat(client, forward, str(inbox["token"]), request)


async def _opened(client: aiohttp.ClientSession, base: str, token: str | None) -> tuple[Mapping[str, Any], str]:
    """An inbox, and the id of its last request; earlier requests are not forwarded."""
    try:
        if token is None:
            async with client.post(f"{base}/play/") as response:
                if response.status != 201:
                    raise CommandError(f"{base} has no Play: it answered {response.status}; see server.play")
                made: Mapping[str, Any] = await response.json()
                return made, ""
        seen = await _read(client, base, token, "")
        return seen["inbox"], seen["requests"][-1]["id"] if seen["requests"] else ""
    except (aiohttp.ClientError, TimeoutError) as problem:
        raise CommandError(f"{base}: {problem}; is the daemon running? `webhook-engine serve` starts one") from None


async def _arriving(
    client: aiohttp.ClientSession, base: str, token: str, last: str
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield each request as it arrives; if the daemon is unavailable, wait for it."""
    away = False
    while True:
        try:
            seen = await _read(client, base, token, last)
        except (aiohttp.ClientError, TimeoutError) as problem:
            if not away:
                err.print(f"{base}: {problem}; trying again", style="dim", markup=False, soft_wrap=True)
            away = True
            await asyncio.sleep(TRY_AGAIN_S)
            continue
        if away:
            err.print(f"{base} is there again", style="dim", markup=False, soft_wrap=True)
        away = False
        for request in seen["requests"]:
            last = request["id"]
            yield request
        await asyncio.sleep(LOOK_EVERY_S)


async def _read(client: aiohttp.ClientSession, base: str, token: str, after: str) -> Mapping[str, Any]:
    async with client.get(f"{base}/play/inbox/{token}", params={"after": after}) as response:
        if response.status == 404:
            raise _InboxGoneError("the inbox has expired; start again to get a new one")
        response.raise_for_status()
        seen: Mapping[str, Any] = await response.json()
        return seen


async def _repeat(client: aiohttp.ClientSession, forward: str, token: str, request: Mapping[str, Any]) -> None:
    """Forward a request, and print the result."""
    body = base64.b64decode(request["body"]) if request["encoding"] == "base64" else request["body"].encode()
    rest = str(request["path"]).partition(token)[2].lstrip("/")
    line = f"{request['receivedAt'][11:19]}  {request['method']:<6} {len(body):>7} B  "
    if _LEAVING.search(unquote(rest.partition("?")[0])):
        out.print(
            f"{line}not relayed: its path leaves that of your server: {rest}", style="red", markup=False, soft_wrap=True
        )
        return
    headers = CIMultiDict((name, value) for name, value in request["headers"] if name.lower() not in _NOT_RELAYED)
    target = f"{forward.rstrip('/')}/{rest}" if rest and not rest.startswith("?") else forward + rest
    began = asyncio.get_running_loop().time()
    try:
        async with client.request(
            request["method"], target, headers=headers, data=body or None, allow_redirects=False
        ) as response:
            await response.read()
            style, told = ("green" if response.ok else "red"), str(response.status)
    except (aiohttp.ClientError, TimeoutError) as problem:
        style, told = "red", _told(problem)
    took_ms = int((asyncio.get_running_loop().time() - began) * 1_000)
    out.print(line, markup=False, end="")
    out.print(f"{told}  {took_ms} ms", style=style, markup=False, soft_wrap=True)


def _told(problem: Exception) -> str:
    match problem:
        case aiohttp.ServerDisconnectedError():
            return "your server closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "your server closed the connection within its answer"
    return str(problem) or f"no answer within {PATIENCE_S} s"
