"""Taking over what another server kept: with its ids, secrets and dates, again and again, and nothing twice."""

from __future__ import annotations

import base64
import hmac
from datetime import timedelta

import msgspec
import pytest

from webhook_engine import Engine, ManualClock, ValidationError
from webhook_engine.clock import microseconds, to_datetime
from webhook_engine.ids import IdSource
from webhook_engine.resources.imported import (
    ImportedApplication,
    ImportedBatch,
    ImportedEndpoint,
    ImportedEventType,
    ImportedKey,
    ImportedMessage,
    ImportOutcome,
)

DAY = timedelta(days=1)


def secret(letter: str) -> str:
    return "whsec_" + base64.b64encode(letter.encode() * 24).decode()


def an_id(prefix: str, clock: ManualClock, ago: timedelta = DAY) -> str:
    return IdSource().new(prefix, clock.now() - microseconds(ago))


def statuses(outcomes: list[ImportOutcome] | tuple[ImportOutcome, ...]) -> list[str]:
    return [one.status.value for one in outcomes]


@pytest.fixture
def batch(clock: ManualClock, receiver) -> ImportedBatch:
    app = an_id("app_", clock)
    return ImportedBatch(
        event_types=[
            ImportedEventType(name="invoice.paid", description="Paid", schemas={"1": {"type": "object"}}),
            ImportedEventType(name="old", archived=True, feature_flags=("beta",), group_name="g"),
        ],
        applications=[ImportedApplication(id=app, uid="globex", name="Globex", throttle_rate=7, metadata={"a": "1"})],
        endpoints=[
            ImportedEndpoint(
                application=app,
                id=an_id("ep_", clock),
                uid="main",
                url=receiver.url,
                description="The main one",
                event_types=("invoice.paid", "old"),
                channels=("b", "a"),
                throttle_rate=3,
                secret=secret("n"),
                old_keys=(
                    ImportedKey(secret=secret("o"), expires_at=to_datetime(clock.now()) + DAY),
                    ImportedKey(secret=secret("x"), expires_at=to_datetime(clock.now()) - DAY),
                ),
                headers={"X-One": "1"},
                metadata={"k": "v"},
                options={"timeout": "2s"},
            )
        ],
        messages=[
            ImportedMessage(
                application=app,
                id=an_id("msg_", clock),
                event_type="invoice.paid",
                payload=b'{"id": 1}',
                event_id="one",
                channels=("a",),
            )
        ],
    )


async def test_it_is_here_as_it_was_there(engine: Engine, clock: ManualClock, batch: ImportedBatch, receiver) -> None:
    assert statuses(await engine.imports.take(batch)) == ["created"] * 5
    [app], [given], [old] = batch.applications, batch.endpoints, batch.messages
    here = await engine.applications.get("globex")
    assert (here.id, here.throttle_rate, here.metadata) == (app.id, 7, {"a": "1"})
    assert to_datetime(clock.now()) - here.created_at > DAY - timedelta(seconds=1)
    endpoint = await engine.endpoints.get("globex", "main")
    assert (endpoint.id, endpoint.event_types, endpoint.disabled) == (given.id, ("invoice.paid", "old"), False)
    assert endpoint.timeout == timedelta(seconds=2)
    assert await engine.endpoints.get_secret("globex", "main") == secret("n")
    assert (await engine.endpoints.get_headers("globex", "main")).headers == {"X-One": "1"}
    message = await engine.messages.get("globex", "one")
    assert (message.id, message.payload) == (old.id, b'{"id": 1}')
    assert (await engine.event_types.get("old")).archived

    await engine.join(5)
    assert receiver.requests == []  # what was accepted there is not sent by itself
    await engine.messages.create("globex", event_type="invoice.paid", payload={"id": 2}, channels=["a"])
    await engine.join(5)
    [request] = receiver.requests
    signatures = request.headers["webhook-signature"].split(" ")
    assert len(signatures) == 2
    signed = {name: request.headers[name] for name in ("webhook-id", "webhook-timestamp")}
    content = f"{signed['webhook-id']}.{signed['webhook-timestamp']}.".encode() + request.body
    for key, signature in zip((b"n", b"o"), signatures, strict=True):
        made = hmac.digest(key * 24, content, "sha256")
        assert signature == f"v1,{base64.b64encode(made).decode()}"


async def test_a_second_time_changes_nothing(engine: Engine, batch: ImportedBatch) -> None:
    await engine.imports.take(batch)
    assert statuses(await engine.imports.take(batch)) == ["same"] * 5
    assert statuses(await engine.imports.take(batch, update=True)) == ["same"] * 5
    assert len((await engine.endpoints.list("globex")).data) == 1


async def test_a_dry_run_says_the_same_and_changes_nothing(engine: Engine, batch: ImportedBatch) -> None:
    planned = await engine.imports.take(batch, dry_run=True)
    assert [one.uid for one in (await engine.applications.list()).data] == ["acme"]
    assert (await engine.event_types.list(include_archived=True)).data == []
    assert planned == await engine.imports.take(batch)
    assert statuses(await engine.imports.take(batch, dry_run=True)) == ["same"] * 5


async def test_missing_messages_can_be_replayed_with_their_ids(
    engine: Engine, clock: ManualClock, batch: ImportedBatch, receiver
) -> None:
    await engine.imports.take(batch)
    since = to_datetime(clock.now()) - 2 * DAY
    await engine.endpoints.replay_missing("globex", "main", since=since)
    await engine.join(5)
    assert [request.headers["webhook-id"] for request in receiver.requests] == [batch.messages[0].id]


async def test_what_is_different_here_stays_or_is_updated(engine: Engine, batch: ImportedBatch) -> None:
    await engine.imports.take(batch)
    await engine.endpoints.update("globex", "main", description="Changed here", disabled=True)
    await engine.endpoints.rotate_secret("globex", "main", grace_period=timedelta(0))
    await engine.endpoints.set_headers("globex", "main", {"X-Two": "2"})
    await engine.applications.update("globex", name="Other")
    await engine.event_types.update("invoice.paid", description="Settled")
    outcomes = await engine.imports.take(batch)
    assert statuses(outcomes) == ["different", "same", "different", "different", "same"]
    assert outcomes[3].differs == ("description", "disabled", "secret", "headers")
    assert (await engine.endpoints.get("globex", "main")).description == "Changed here"
    planned = await engine.imports.take(batch, update=True, dry_run=True)
    assert planned == await engine.imports.take(batch, update=True)
    assert statuses(planned) == ["updated", "same", "updated", "updated", "same"]
    assert statuses(await engine.imports.take(batch)) == ["same"] * 5
    assert await engine.endpoints.get_secret("globex", "main") == secret("n")
    assert not (await engine.endpoints.get("globex", "main")).disabled


async def test_what_the_source_hides_stays(engine: Engine, batch: ImportedBatch) -> None:
    [given] = batch.endpoints
    hidden = msgspec.structs.replace(given, secret=None, old_keys=None, hidden_headers=("Authorization",))
    batch = msgspec.structs.replace(batch, endpoints=[hidden])
    await engine.imports.take(batch)
    before = await engine.endpoints.get_secret("globex", "main")
    await engine.endpoints.patch_headers("globex", "main", {"Authorization": "Bearer x", "X-One": "2"})
    [outcome] = await engine.imports.take(ImportedBatch(endpoints=[hidden]), update=True)
    assert outcome.differs == ("headers",)
    kept = await engine.endpoints.get_headers("globex", "main")
    assert (kept.headers, list(kept.sensitive)) == ({"X-One": "1"}, ["Authorization"])
    assert await engine.endpoints.get_secret("globex", "main") == before


async def test_an_application_that_is_here_under_its_uid_is_that_one(
    engine: Engine, clock: ManualClock, receiver
) -> None:
    acme = await engine.applications.get("acme")
    [outcome] = await engine.imports.take(
        ImportedBatch(applications=[ImportedApplication(id=an_id("app_", clock), uid="acme", name="Acme")])
    )
    assert (outcome.status, outcome.id) == ("same", acme.id)
    new = ImportedEndpoint(application=acme.id, uid="theirs", url=receiver.url, disabled=True)
    [made] = await engine.imports.take(ImportedBatch(endpoints=[new]))
    endpoint = await engine.endpoints.get("acme", "theirs")
    assert (endpoint.id, endpoint.disabled) == (made.id, True)
    assert "imported from" in (endpoint.disabled_reason or "")


async def test_one_that_is_not_allowed_costs_nothing_else(
    engine: Engine, clock: ManualClock, batch: ImportedBatch
) -> None:
    await engine.imports.take(batch)
    [good] = batch.endpoints
    app = good.application
    bad = [
        (msgspec.structs.replace(good, id="ep_short"), "id: must be 'ep_' and 27 letters"),
        (msgspec.structs.replace(good, id=an_id("ep_", clock, -DAY)), "made in the future"),
        (msgspec.structs.replace(good, id=None, uid=None), "or a uid"),
        (ImportedEndpoint(application=app, uid="u", url="ftp://example.com"), "url: must be absolute"),
        (ImportedEndpoint(application=app, uid="u", url="https://a:*****@example.com"), "password itself"),
        (ImportedEndpoint(application=app, uid="u", url="https://example.com", secret="short"), "secret: "),
        (
            ImportedEndpoint(
                application=app,
                uid="u",
                url="https://example.com",
                old_keys=(ImportedKey(secret="x", expires_at=to_datetime(clock.now())),),
            ),
            "old_keys[0].secret: ",
        ),
        (
            ImportedEndpoint(application=app, uid="u", url="https://example.com", event_types=("nope",)),
            "not registered here: nope",
        ),
        (ImportedEndpoint(application="nowhere", uid="u", url="https://example.com"), "no application 'nowhere'"),
        (ImportedEndpoint(application="acme", id=good.id, url="https://example.com"), "another application here"),
    ]
    fine = ImportedEndpoint(application=app, uid="fine", url="https://example.com")
    outcomes = await engine.imports.take(ImportedBatch(endpoints=[*(one for one, _ in bad), fine]))
    for (_, text), outcome in zip(bad, outcomes, strict=False):
        assert (outcome.status, text in (outcome.problem or "")) == ("refused", True), (text, outcome)
    assert outcomes[-1].status == "created"
    assert all("xx" not in (one.problem or "") for one in outcomes)


async def test_what_was_deleted_here_does_not_come_back(engine: Engine, batch: ImportedBatch) -> None:
    await engine.imports.take(batch)
    await engine.endpoints.delete("globex", "main")
    [outcome] = await engine.imports.take(ImportedBatch(endpoints=batch.endpoints))
    assert (outcome.status, "deleted here" in (outcome.problem or "")) == ("refused", True)
    await engine.applications.delete("globex")
    outcomes = await engine.imports.take(batch)
    assert statuses(outcomes) == ["same", "same", "refused", "refused", "refused"]
    assert outcomes[2].problem == "the application with this id was deleted here, or is another organization's"


async def test_an_event_id_that_was_sent_here_too_is_the_same_message(engine: Engine, batch: ImportedBatch) -> None:
    await engine.imports.take(msgspec.structs.replace(batch, messages=[]))
    mine = await engine.messages.create("globex", event_type="a", payload={}, event_id="one")
    [outcome] = await engine.imports.take(ImportedBatch(messages=batch.messages), dry_run=True)
    assert (outcome.status, outcome.id) == ("same", mine.id)
    [outcome] = await engine.imports.take(ImportedBatch(messages=batch.messages))
    assert (outcome.status, outcome.id) == ("same", mine.id)


async def test_what_belongs_to_an_application_that_is_refused_is_refused_in_a_dry_run_too(
    engine: Engine, clock: ManualClock, batch: ImportedBatch
) -> None:
    [app] = batch.applications
    batch = msgspec.structs.replace(batch, applications=[msgspec.structs.replace(app, name="")])
    planned = await engine.imports.take(batch, dry_run=True)
    assert statuses(planned) == ["created", "created", "refused", "refused", "refused"]
    assert planned[3].problem == f"application: {app.id!r} was refused"
    assert planned == await engine.imports.take(batch)


async def test_what_comes_with_an_application_that_has_another_id_here_goes_there(
    engine: Engine, batch: ImportedBatch
) -> None:
    [app] = batch.applications
    acme = await engine.applications.get("acme")
    batch = msgspec.structs.replace(batch, applications=[msgspec.structs.replace(app, uid="acme")])
    for dry in (True, False):
        outcomes = await engine.imports.take(batch, dry_run=dry)
        assert statuses(outcomes) == ["created", "created", "different", "created", "created"]
        assert outcomes[2].id == acme.id
    assert (await engine.endpoints.get("acme", "main")).application_id == acme.id


async def test_secrets_are_in_no_text(batch: ImportedBatch) -> None:
    assert "whsec_" not in repr(batch)
    assert "Globex" in repr(batch)


async def test_only_a_batch_is_taken(engine: Engine) -> None:
    with pytest.raises(ValidationError, match="must be an ImportedBatch"):
        await engine.imports.take([])  # type: ignore[arg-type]
