"""Clients of a server, and tokens for them."""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from engines import until
from svix.api import SvixAsync

from webhook_engine.ids import IdSource
from webhook_engine.model import DEFAULT_ORGANIZATION
from webhook_engine.server.tokens import TOKEN_ID_PREFIX, TokenKeys, application_claims, organization_claims

__all__ = ["JWT_SECRET", "Answer", "Client", "Tokens", "an_hour_ago", "finished"]

JWT_SECRET = "a secret of the tests, with spaces, which is long enough"


@dataclass
class Answer:
    """What came back."""

    status: int
    text: str
    headers: dict[str, str] = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Client:
    """Sends requests as they are given, with one token."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | None) -> None:
        self._session = session
        self.url = url
        self.token = token

    def with_token(self, token: str | None) -> Client:
        return Client(self._session, self.url, token)

    async def __call__(
        self, method: str, path: str, body: object = None, *, headers: dict[str, str] | None = None
    ) -> Answer:
        sent = {} if self.token is None else {"authorization": f"Bearer {self.token}"}
        data: Any = body if isinstance(body, bytes | str) or body is None else json.dumps(body)
        if isinstance(data, str | bytes) and len(data) > 100_000:
            data = io.BytesIO(data.encode() if isinstance(data, str) else data)
        async with self._session.request(
            method,
            f"{self.url}{'' if path.startswith('//') else '/api/v1'}{path.removeprefix('//root')}",
            data=data,
            headers={**sent, **(headers or {})},
            allow_redirects=False,
        ) as response:
            return Answer(response.status, await response.text(), {k.lower(): v for k, v in response.headers.items()})

    async def get(self, path: str, **more: Any) -> Answer:
        return await self("GET", path, **more)

    async def post(self, path: str, body: object = None, **more: Any) -> Answer:
        return await self("POST", path, body, **more)

    async def put(self, path: str, body: object = None, **more: Any) -> Answer:
        return await self("PUT", path, body, **more)

    async def patch(self, path: str, body: object = None, **more: Any) -> Answer:
        return await self("PATCH", path, body, **more)

    async def delete(self, path: str, **more: Any) -> Answer:
        return await self("DELETE", path, **more)


class Tokens:
    """Makes tokens as the command line does."""

    def __init__(self, secret: str = JWT_SECRET) -> None:
        self.keys = TokenKeys("HS256", secret=secret)
        self._ids = IdSource()

    def new_id(self) -> str:
        return self._ids.new(TOKEN_ID_PREFIX, int(time.time() * 1_000_000))

    def organization(self, organization_id: str = DEFAULT_ORGANIZATION, **changes: object) -> str:
        claims = organization_claims(organization_id, self.new_id(), int(time.time()))
        return self.keys.sign({key: value for key, value in {**claims, **changes}.items() if value is not None})

    def application(self, application_id: str, organization_id: str = DEFAULT_ORGANIZATION, **options: Any) -> str:
        changes = options.pop("changes", {})
        now = int(time.time())
        claims = application_claims(organization_id, application_id, self.new_id(), now, timedelta(days=7), **options)
        return self.keys.sign({**claims, **changes})


def an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


async def finished(svix: SvixAsync, task_id: str) -> dict[str, Any]:
    """What a background task has come to at its end."""

    async def data() -> dict[str, Any] | None:
        task = await svix.background_task.get(task_id)
        assert task.status.value != "failed"
        return task.data if task.status.value == "finished" else None

    return await until(data)
