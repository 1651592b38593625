"""``webhook-engine portal``: a link to the portal of an application."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import aiohttp
import typer

from webhook_engine.cli.terminal import CommandError
from webhook_engine.clock import Clock
from webhook_engine.config.loading import Config
from webhook_engine.config.values import parse_duration
from webhook_engine.ids import IdSource
from webhook_engine.model import DEFAULT_ORGANIZATION
from webhook_engine.server.tokens import TOKEN_ID_PREFIX, TokenKeys, organization_claims

__all__ = ["portal"]

PATIENCE_S = 30


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as problem:
        raise typer.BadParameter(f"{problem}; write a number and a unit, such as 1h or 7d") from None


def portal(
    application: Annotated[
        str | None, typer.Argument(metavar="[APP]", help="The application, by id or uid; with --operator, none.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(envvar="WEBHOOK_ENGINE_URL", show_envvar=True, help="The daemon; by default as configured here."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="WEBHOOK_ENGINE_TOKEN", show_envvar=True, help="By default one is made with the secret kept here."
        ),
    ] = None,
    operator: Annotated[
        bool, typer.Option("--operator", help="For an operator of all applications; the session lasts 12h.")
    ] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="The session may look, and change nothing.")] = False,
    expiry: Annotated[
        timedelta | None,
        typer.Option(parser=_duration, metavar="DURATION", help="How long the session lasts, 1h to 7d."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="The TOML file, for what is not given."),
    ] = None,
) -> None:
    """Print a URL that opens the portal of an application, once, within portal.link_ttl; and nothing else."""
    if operator == (application is not None):
        raise typer.BadParameter("name an application, or give --operator instead", param_hint="APP")
    if operator and read_only:
        raise typer.BadParameter("an operator may change everything", param_hint="--read-only")
    if url is None or token is None:
        loaded = Config.load(config)
        url = url or loaded.server.url()
        token = token or _own_token(loaded)
    if url is None:
        raise typer.BadParameter("the daemon listens at a Unix socket; say how it is reached", param_hint="--url")
    body: dict[str, object] = {} if application is None else {"readOnly": read_only}
    if expiry is not None:
        body["expiry"] = int(expiry.total_seconds())
    typer.echo(asyncio.run(_link(url.rstrip("/"), token, application, body)))


async def _link(url: str, token: str, application: str | None, body: dict[str, object]) -> str:
    wanted = "operator-access" if application is None else f"app-portal-access/{quote(application, safe='')}"
    address = f"{url}/api/v1/auth/{wanted}"
    headers = {"authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as client,
            client.post(address, json=body, headers=headers) as response,
        ):
            told = await response.json(content_type=None)
            if response.status == 200:
                return str(told["url"])
    except (aiohttp.ClientError, TimeoutError, ValueError) as problem:
        reason = str(problem) or "no answer in time"
        raise CommandError(f"{url}: {reason}; is the daemon running? `webhook-engine serve` starts one") from None
    raise CommandError(_refusal(url, application, response.status, told))


def _refusal(url: str, application: str | None, status: int, told: object) -> str:
    if status == 401:
        return f"{url} does not accept the token; `webhook-engine token` on the daemon's machine prints one"
    if status == 404:
        return f"there is no application {application!r} at {url}"
    detail = told.get("detail") if isinstance(told, dict) else None
    if isinstance(detail, list):
        detail = "; ".join(str(item.get("msg")) for item in detail if isinstance(item, dict))
    return f"{url} answered {status}: {detail}"


def _own_token(config: Config) -> str:
    now = Clock().now()
    claims = organization_claims(DEFAULT_ORGANIZATION, IdSource().new(TOKEN_ID_PREFIX, now), now // 1_000_000)
    return TokenKeys.of(config).sign(claims)
