"""What is read of an endpoint before something is sent to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from webhook_engine import Engine, NotFoundError
from webhook_engine.delivery.attempt.decision import Rules
from webhook_engine.delivery.attempt.retry import RetrySchedule
from webhook_engine.delivery.attempt.targets import Targets


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with Engine.open(tmp_path / "e.db") as running:
        await running.applications.create(name="Acme", uid="acme", throttle_rate=5)
        yield running


@pytest.fixture
async def targets(engine: Engine) -> Targets:
    services = engine.services
    return Targets(
        services.store.endpoints,
        services.directory,
        services.cipher,
        user_agent="Engine",
        prefixes=("webhook",),
        rules=Rules(schedule=RetrySchedule([], 0), failure_window=1, disable_on_gone=True),
        bounds=services.policy.endpoint_options,
    )


async def created(engine: Engine) -> str:
    return (await engine.endpoints.create("acme", url="https://example.com/")).id


async def test_the_endpoints_of_an_application_share_its_rate_limit(engine: Engine, targets: Targets) -> None:
    first, second = [(await targets.load(await created(engine)))[0] for _ in range(2)]
    assert first.application_throttle is second.application_throttle
    assert first.application_throttle.rate == 5
    assert first.throttle is not second.throttle


async def test_a_new_rate_limit_of_the_application_is_a_new_throttle(engine: Engine, targets: Targets) -> None:
    endpoint = await created(engine)
    before, _ = await targets.load(endpoint)
    await engine.applications.update("acme", throttle_rate=7)
    after, _ = await targets.load(endpoint)
    assert (before.application_throttle.rate, after.application_throttle.rate) == (5, 7)
    assert after.application_uid == "acme"


async def test_an_endpoint_of_a_deleted_application_is_deleted_with_it(engine: Engine, targets: Targets) -> None:
    endpoint = await created(engine)
    application = await engine.applications.get("acme")
    # Only the application is gone, as when it was read in the midst of its deletion.
    engine.services.directory.forget_application(application.organization_id, application.id, "acme")

    async def gone(*_: object) -> None:
        return None

    engine.services.store.applications.get = gone  # type: ignore[method-assign, assignment]
    target, stored = await targets.load(endpoint)
    assert target.deleted
    assert target.closed
    assert stored.deleted
    assert target.application_uid is None
    assert target.application_throttle.rate is None


async def test_an_endpoint_that_never_was_is_not_found(targets: Targets) -> None:
    with pytest.raises(NotFoundError):
        await targets.load("ep_1")
