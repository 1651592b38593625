"""Applications over HTTP, through the official SDK."""

from __future__ import annotations

from svix.api import ApplicationListOptions, SvixAsync
from svix.models import (
    ApplicationIn,
    EndpointIn,
)


async def test_applications_are_listed_by_their_endpoints(svix: SvixAsync) -> None:
    for uid in ("none", "good", "disabled", "play"):
        await svix.application.create(ApplicationIn(name=uid, uid=uid))
    await svix.endpoint.create("good", EndpointIn(url="https://example.com"))
    await svix.endpoint.create("disabled", EndpointIn(url="https://example.com", disabled=True))
    await svix.endpoint.create("play", EndpointIn(url="https://play.svix.com/in/x"))

    async def listed(**options: bool) -> list[str | None]:
        return [each.uid for each in (await svix.application.list(ApplicationListOptions(**options))).data]

    assert await listed() == ["none", "good", "disabled", "play"]
    assert await listed(exclude_apps_with_no_endpoints=True) == ["good", "disabled", "play"]
    assert await listed(exclude_apps_with_disabled_endpoints=True) == ["none", "good", "play"]
    assert await listed(exclude_apps_with_svix_play_endpoints=True) == ["none", "good", "disabled"]
