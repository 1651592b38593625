"""Links to the portal: each opens once, until it expires or is taken back."""

from __future__ import annotations

import msgspec
from records import SECOND, START

from webhook_engine.store.portal_links import PortalLink
from webhook_engine.store.seam import Store

LINK = PortalLink(
    digest=b"\x01" * 32,
    organization_id="org_1",
    application_id="app_1",
    feature_flags=("beta", "new"),
    capabilities=("ViewBase",),
    session_id="session_1",
    session_ttl_s=3_600,
    expires_at=START + SECOND,
)


def link(number: int, **fields: object) -> PortalLink:
    return msgspec.structs.replace(LINK, digest=bytes([number]) * 32, **fields)


async def test_a_link_is_taken_once_with_all_that_it_says(store: Store) -> None:
    bare = link(2, feature_flags=(), capabilities=None, session_id=None)
    await store.portal_links.add(LINK)
    await store.portal_links.add(bare)
    assert await store.portal_links.take(LINK.digest, START) == LINK
    assert await store.portal_links.take(LINK.digest, START) is None
    assert await store.portal_links.take(bare.digest, START) == bare


async def test_a_link_that_expired_opens_nothing(store: Store) -> None:
    await store.portal_links.add(LINK)
    assert await store.portal_links.take(LINK.digest, LINK.expires_at) is None


async def test_links_of_some_sessions_or_of_a_whole_application_are_taken_back(store: Store) -> None:
    for one in (
        link(1, session_id="session_1"),
        link(2, session_id="session_2"),
        link(3, session_id=None),
        link(4, application_id="app_2"),
    ):
        await store.portal_links.add(one)
    await store.portal_links.forget("app_1", ["session_1", "session_9"])
    assert await store.portal_links.take(link(1).digest, START) is None
    await store.portal_links.forget("app_2", ["session_2"])
    assert await store.portal_links.take(link(2).digest, START) is not None
    await store.portal_links.forget("app_1", [])
    assert await store.portal_links.take(link(3).digest, START) is None
    assert await store.portal_links.take(link(4).digest, START) is not None
