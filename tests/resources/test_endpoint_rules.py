"""Rotation of secrets, examples, encrypted secrets, and how edits are made."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from webhook_engine.errors import ExampleUnavailableError, RotationLimitError, SecretsUnreadableError, ValidationError
from webhook_engine.model import EventType, OldKey
from webhook_engine.resources.edits import EditLocks
from webhook_engine.resources.examples import PING, example_of, is_ping
from webhook_engine.resources.rotation import MAX_OLD_KEYS, still_valid
from webhook_engine.secrets.encryption import Cipher
from webhook_engine.shielded import shielded
from webhook_engine.store.endpoint_encryption import decrypt_headers, decrypt_secret, encrypt_headers, encrypt_secret

START = datetime(2030, 6, 1, tzinfo=UTC)


def test_the_replaced_secret_comes_first_and_expired_ones_go() -> None:
    old = (OldKey(b"young", 200), OldKey(b"old", 100))
    assert still_valid(b"current", old, now=100, grace=50) == (OldKey(b"current", 150), OldKey(b"young", 200))


def test_without_grace_the_replaced_secret_is_dropped_at_once() -> None:
    old = (OldKey(b"young", 200),)
    assert still_valid(b"current", old, now=100, grace=0) == old


def test_a_secret_that_returns_is_not_an_old_one_any_more() -> None:
    old = (OldKey(b"b", 200), OldKey(b"a", 150))
    kept = still_valid(b"c", old, now=100, grace=50, is_new=lambda encrypted: encrypted == b"a")
    assert kept == (OldKey(b"c", 150), OldKey(b"b", 200))
    same = still_valid(b"c", old, now=100, grace=50, is_new=lambda encrypted: encrypted == b"c")
    assert same == old


def test_ten_rotations_succeed_and_the_eleventh_waits() -> None:
    keys: tuple[OldKey, ...] = ()
    for number in range(MAX_OLD_KEYS):
        keys = still_valid(b"%d" % number, keys, now=number, grace=1000)
    with pytest.raises(RotationLimitError, match=r"1970-01-01T00:00:00\.001"):
        still_valid(b"x", keys, now=100, grace=1000)
    assert still_valid(b"x", keys, now=100, grace=0) == keys
    assert len(still_valid(b"x", keys, now=1000, grace=1000)) == MAX_OLD_KEYS


def event_type(schemas: dict[str, object] | None) -> EventType:
    return EventType(
        name="invoice.paid",
        organization_id="org_1",
        description="",
        archived=False,
        deprecated=False,
        schemas=schemas,
        feature_flags=(),
        group_name=None,
        created_at=START,
        updated_at=START,
    )


def test_an_example_is_written_as_compact_json() -> None:
    known = event_type({"1": {"examples": [{"ü": [1, 2]}, "text"]}})
    assert example_of(known, 0) == '{"ü":[1,2]}'.encode()
    assert example_of(known, 1) == b'"text"'


@pytest.mark.parametrize("schemas", [None, {}, {"2": {"examples": [1]}}, {"1": {}}, {"1": {"examples": []}}, {"1": 5}])
def test_without_an_example_there_is_nothing_to_send(schemas: dict[str, object] | None) -> None:
    with pytest.raises(ExampleUnavailableError, match=r"event_type: invoice\.paid has no example") as caught:
        example_of(event_type(schemas), 0)
    assert isinstance(caught.value, ValidationError)


def test_a_schema_without_examples_has_one_that_is_made_from_it() -> None:
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "at": {"format": "date"}}}
    known = event_type({"1": schema})
    assert example_of(known, 0) == b'{"id":1,"at":"2030-01-31"}'
    with pytest.raises(ExampleUnavailableError, match="only 1 examples"):
        example_of(known, 1)
    impossible = event_type({"1": {"type": "string", "pattern": "^[0-9]{40}$"}})
    with pytest.raises(ExampleUnavailableError, match="put one into its `examples`"):
        example_of(impossible, 0)


def test_an_example_that_is_not_there() -> None:
    with pytest.raises(ExampleUnavailableError, match="example_index"):
        example_of(event_type({"1": {"examples": [1]}}), 1)


def test_a_ping_has_its_example_built_in() -> None:
    assert is_ping("svix.ping")
    assert not is_ping("ping")
    assert PING == b'{"success": true}'


def test_secrets_open_only_for_their_endpoint() -> None:
    cipher = Cipher("main")
    encrypted = encrypt_secret(cipher, "ep_1", "whsec_x")
    assert b"whsec" not in encrypted
    assert decrypt_secret(cipher, "ep_1", encrypted) == "whsec_x"
    with pytest.raises(SecretsUnreadableError):
        decrypt_secret(cipher, "ep_2", encrypted)
    with pytest.raises(SecretsUnreadableError):
        decrypt_headers(cipher, "ep_1", encrypted)


def test_headers_keep_their_order() -> None:
    cipher = Cipher("main")
    headers = {"b": "2", "A": "1"}
    encrypted = encrypt_headers(cipher, "ep_1", headers)
    assert list(decrypt_headers(cipher, "ep_1", encrypted).items()) == list(headers.items())
    assert encrypt_headers(cipher, "ep_1", {}) is None
    assert decrypt_headers(cipher, "ep_1", None) == {}


def test_what_was_kept_under_two_spellings_is_read_as_one_header() -> None:
    cipher = Cipher("main")
    encrypted = encrypt_headers(cipher, "ep_1", {"x-tenant": "1", "b": "2", "X-Tenant": "3"})
    assert decrypt_headers(cipher, "ep_1", encrypted) == {"X-Tenant": "3", "b": "2"}


async def test_steps_are_finished_before_a_cancellation_goes_on() -> None:
    gate, done = asyncio.Event(), []

    async def steps() -> None:
        await gate.wait()
        done.append(1)

    task = asyncio.create_task(shielded(steps()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [1]


async def test_steps_return_and_raise_like_a_plain_call() -> None:
    async def number() -> int:
        return 5

    async def trouble() -> int:
        raise ValidationError("x", "is wrong")

    assert await shielded(number()) == 5
    with pytest.raises(ValidationError):
        await shielded(trouble())


async def test_a_failure_after_a_cancellation_is_not_left_over() -> None:
    gate = asyncio.Event()

    async def trouble() -> None:
        await gate.wait()
        raise ValidationError("x", "is wrong")

    task = asyncio.create_task(shielded(trouble()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_lock_is_shared_while_somebody_uses_it_and_gone_afterwards() -> None:
    locks, order = EditLocks(), []

    async def edit(name: str) -> None:
        async with locks.of("ep_1"):
            order.append(name)
            await asyncio.sleep(0)
            order.append(name)

    await asyncio.gather(edit("a"), edit("b"), edit("c"))
    assert order == ["a", "a", "b", "b", "c", "c"]
    assert not locks._locks
