"""The signing secrets of endpoints."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from resources.calls import HOUR, send
from standardwebhooks import Webhook

from webhook_engine import Engine, ManualClock, ValidationError
from webhook_engine.model import Endpoint
from webhook_engine.secrets.signing import SigningKey


async def test_a_rotated_secret_signs_until_its_grace_is_over(
    engine: Engine, endpoint: Endpoint, receiver, clock: ManualClock
) -> None:
    old = await engine.endpoints.get_secret("acme", "main")
    new = await engine.endpoints.rotate_secret("acme", "main", grace_period=HOUR)
    assert new == await engine.endpoints.get_secret("acme", "main") != old
    await send(engine)
    clock.advance(HOUR)
    await send(engine)
    await engine.endpoints.rotate_secret("acme", "main", grace_period=timedelta(0))
    await send(engine)
    assert [len(request.headers["webhook-signature"].split()) for request in receiver.requests] == [2, 1, 1]


async def test_what_was_replaced_is_told_until_its_grace_is_over(
    engine: Engine, endpoint: Endpoint, clock: ManualClock
) -> None:
    first = await engine.endpoints.get_secret("acme", "main")
    assert await engine.endpoints.replaced_secrets("acme", "main") == []
    second = await engine.endpoints.rotate_secret("acme", "main", grace_period=HOUR)
    await engine.endpoints.rotate_secret("acme", "main", grace_period=2 * HOUR)
    newer, older = await engine.endpoints.replaced_secrets("acme", "main")
    assert (newer.secret, older.secret) == (second, first)
    assert newer.expires_at - older.expires_at == HOUR
    assert first not in repr(older)
    clock.advance(HOUR)
    assert [each.secret for each in await engine.endpoints.replaced_secrets("acme", "main")] == [second]
    clock.advance(HOUR)
    assert await engine.endpoints.replaced_secrets("acme", "main") == []


async def test_a_given_secret_is_what_signs(engine: Engine, receiver) -> None:
    secret = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    await engine.endpoints.create("acme", url=receiver.url, uid="own", secret=secret)
    assert await engine.endpoints.get_secret("acme", "own") == secret
    await send(engine)
    headers = receiver.requests[0].headers
    signed = Webhook(secret).sign(
        headers["webhook-id"],
        datetime.fromtimestamp(int(headers["webhook-timestamp"])).astimezone(),
        receiver.bodies[0].decode(),
    )
    assert headers["webhook-signature"] == signed


async def test_of_a_key_pair_only_the_public_half_is_given_out(engine: Engine, endpoint: Endpoint) -> None:
    key = SigningKey.generate("ed25519")
    assert await engine.endpoints.rotate_secret("acme", "main", key.secret) == key.public
    assert (await engine.endpoints.get_secret("acme", "main")).startswith("whpk_")


@pytest.mark.parametrize("grace", [timedelta(days=7, seconds=1), timedelta(seconds=-1), 60, None])
async def test_a_grace_out_of_range_is_refused(engine: Engine, endpoint: Endpoint, grace: object) -> None:
    with pytest.raises(ValidationError, match="grace_period"):
        await engine.endpoints.rotate_secret("acme", "main", None, grace)  # type: ignore[arg-type]
