"""The pytest plugin, as a program's own test suite uses it: in a pytest of its own, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFIGURATION = """
[pytest]
asyncio_mode = auto
"""


def outcome(pytester: pytest.Pytester, program: str, **expected: int) -> pytest.RunResult:
    """Run a test file in another process, as its author does."""
    pytester.makeini(CONFIGURATION)
    pytester.makepyfile(program)
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(**expected)
    return result


@pytest.mark.slow
def test_the_fixtures_deliver_and_time_travels(pytester: pytest.Pytester) -> None:
    outcome(
        pytester,
        """
        from datetime import timedelta
        from webhook_engine.testing import assert_delivered, travel

        async def test_a_receiver_that_was_down(webhook_engine, webhook_receiver, webhook_clock):
            webhook_receiver.fail(2)
            await webhook_engine.applications.create(name="Acme", uid="acme")
            await webhook_engine.endpoints.create("acme", url=webhook_receiver.url)
            message = await webhook_engine.messages.create("acme", event_type="invoice.paid", payload={"id": 1})
            await webhook_engine.join(timeout=5)
            assert len(webhook_receiver.requests) == 1
            webhook_clock.advance(timedelta(seconds=5))
            await webhook_engine.join(timeout=5)
            assert len(webhook_receiver.requests) == 2
            webhook_clock.advance(hours=5)
            delivered = await assert_delivered(webhook_engine, event_type="invoice.paid", payload={"id": 1})
            assert delivered.message.id == message.id
            assert {one.message_id for one in webhook_receiver.requests} == {message.id}
            assert webhook_receiver.requests[0].payload == {"id": 1}

        async def test_the_whole_schedule(webhook_receiver, webhook_engine, webhook_clock):
            webhook_receiver.answer(status=503)
            await webhook_engine.applications.create(name="Acme", uid="acme")
            endpoint = await webhook_engine.endpoints.create("acme", url=webhook_receiver.url)
            message = await webhook_engine.messages.create("acme", event_type="invoice.paid", payload={})
            began = webhook_clock.now()
            await travel(webhook_engine, webhook_clock, hours=28)
            attempts = (await webhook_engine.attempts.list_by_message("acme", message.id)).data
            waited = [(one.timestamp - attempts[-1].timestamp) // timedelta(seconds=1) for one in reversed(attempts)]
            assert waited == [0, 5, 305, 2105, 9305, 27305, 63305, 99305]
            assert webhook_clock.now() - began == 28 * 3600 * 1_000_000
        """,
        passed=2,
    )


@pytest.mark.slow
def test_a_test_fails_where_a_request_was_not_signed_as_it_should_be(pytester: pytest.Pytester) -> None:
    result = outcome(
        pytester,
        """
        import urllib.request, asyncio

        async def test_somebody_else_posts(webhook_engine, webhook_receiver):
            await webhook_engine.applications.create(name="Acme", uid="acme")
            await webhook_engine.endpoints.create("acme", url=webhook_receiver.url)
            forged = urllib.request.Request(webhook_receiver.url, b"{}", method="POST")
            try:
                await asyncio.to_thread(urllib.request.urlopen, forged)
            except urllib.error.HTTPError as error:
                assert error.code == 400
        """,
        passed=1,
        errors=1,
    )
    result.stdout.fnmatch_lines(["*1 requests were not signed as they should be*", "*webhook-id is missing*"])


@pytest.mark.slow
def test_a_marker_gives_settings_and_the_nearest_wins(pytester: pytest.Pytester) -> None:
    outcome(
        pytester,
        """
        import pytest
        from datetime import timedelta
        pytestmark = pytest.mark.webhook_engine(retry_schedule=["1s"], timeout="3s")

        @pytest.mark.webhook_engine(retry_schedule=["2s", "3s"])
        async def test_settings(webhook_engine):
            assert webhook_engine.config.delivery.retry_schedule == (timedelta(seconds=2), timedelta(seconds=3))
            assert webhook_engine.config.delivery.timeout == timedelta(seconds=3)
        """,
        passed=1,
    )


@pytest.mark.slow
def test_what_went_wrong_is_said(pytester: pytest.Pytester) -> None:
    result = outcome(
        pytester,
        """
        from webhook_engine.testing import assert_delivered

        async def test_it(webhook_engine, webhook_receiver):
            webhook_receiver.fail(10)
            await webhook_engine.applications.create(name="Acme", uid="acme")
            await webhook_engine.messages.create("acme", event_type="nobody.cares", payload={"id": 1})
            await webhook_engine.endpoints.create("acme", url=webhook_receiver.url)
            await webhook_engine.messages.create("acme", event_type="invoice.paid", payload={"id": 2})
            await assert_delivered(webhook_engine, "acme", event_type="invoice.paid")
        """,
        failed=1,
    )
    result.stdout.fnmatch_lines(
        [
            "*expected one message delivered with event_type='invoice.paid', delivered=True, found 0; there is:*",
            "*nobody.cares {'id': 1} to no endpoint, since none wanted it*",
            "*invoice.paid {'id': 2} to http://127.0.0.1:*/hook: pending after 1 attempts, next one at *",
        ]
    )


@pytest.mark.slow
def test_a_run_that_uses_none_of_it_imports_none_of_it(pytester: pytest.Pytester) -> None:
    outcome(
        pytester,
        """
        import sys

        def test_nothing():
            assert not {"aiohttp", "msgspec", "webhook_engine.engine", "cryptography"} & set(sys.modules)
        """,
        passed=1,
    )


@pytest.mark.slow
def test_an_event_loop_of_anyio_will_do(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]")
    pytester.makepyfile(
        """
        import pytest
        pytestmark = pytest.mark.anyio

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        async def test_it(webhook_engine, webhook_receiver):
            await webhook_engine.applications.create(name="Acme", uid="acme")
            await webhook_engine.endpoints.create("acme", url=webhook_receiver.url)
            await webhook_engine.messages.create("acme", event_type="invoice.paid", payload={})
            await webhook_receiver.wait_for(1)
        """
    )
    blocked = Path(pytester.path / "pytest_asyncio.py")
    blocked.write_text("raise ImportError('not installed')")
    result = pytester.runpytest_subprocess("-q", "-p", "no:asyncio", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
