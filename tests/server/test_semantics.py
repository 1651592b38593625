"""What PUT, PATCH, uids, idempotency keys and secrets mean."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from api_clients import JWT_SECRET, Client, Tokens
from receivers import Receiver

from webhook_engine import Engine, StoreUnavailableError


async def test_put_on_an_unknown_uid_creates_an_object_that_is_not_called_so(api: Client) -> None:
    first = await api.put("/app/fake", {"name": "x"})
    assert (first.status, "uid" in first.json) == (201, False)
    again = await api.put("/app/fake", {"name": "x"})
    assert (again.status, again.json["id"] != first.json["id"]) == (201, True)
    await api.put("/app/x", {"name": "x", "uid": "acme"})
    endpoint = await api.put("/app/acme/endpoint/fake", {"url": "http://example.com"})
    assert (endpoint.status, endpoint.json["uid"]) == (201, None)


async def test_put_resets_what_is_not_mentioned(acme: Client) -> None:
    await acme.post("/event-type", {"name": "a", "description": "", "archived": True})
    assert (await acme.put("/event-type/a", {"description": ""})).json["archived"] is False
    full = {"url": "http://example.com", "uid": "e", "eventTypes": ["a"], "channels": ["c"], "disabled": True}
    await acme.post("/app/acme/endpoint", {**full, "metadata": {"a": "b"}, "throttleRate": 3})
    bare = (await acme.put("/app/acme/endpoint/e", {"url": "http://example.com"})).json
    reset = ("uid", "eventTypes", "channels", "disabled", "metadata", "throttleRate")
    assert [bare[name] for name in reset] == [None, None, None, False, {}, None]


async def test_patch_replaces_metadata_and_merges_headers(acme: Client) -> None:
    await acme.post("/app/acme/endpoint", {"url": "http://example.com", "uid": "e", "metadata": {"a": "1"}})
    patched = await acme.patch("/app/acme/endpoint/e", {"metadata": {"b": "2"}})
    assert patched.json["metadata"] == {"b": "2"}
    assert (await acme.patch("/app/acme/endpoint/e", {"metadata": None})).json["metadata"] == {}
    put = await acme.put("/app/acme/endpoint/e/headers", {"headers": {"X-A": "1", "x-b": "2"}})
    assert (put.status, put.text) == (204, "")
    await acme.patch("/app/acme/endpoint/e/headers", {"headers": {"X-C": "3", "X-A": None, "X-B": "4"}})
    assert (await acme.get("/app/acme/endpoint/e/headers")).json["headers"] == {"X-C": "3", "X-B": "4"}
    await acme.patch("/app/acme/endpoint/e/headers", {"headers": {"x-c": "5"}, "deleteHeaders": ["x-B", "X-C"]})
    assert (await acme.get("/app/acme/endpoint/e/headers")).json["headers"] == {"x-c": "5"}
    for forbidden in ("User-Agent", "svix-id", "Content-Length"):
        assert (await acme.put("/app/acme/endpoint/e/headers", {"headers": {forbidden: "x"}})).status == 422


async def test_explicit_nulls_are_taken_where_clients_send_them(api: Client) -> None:
    created = await api.post("/app", {"name": "x", "uid": None, "rateLimit": None, "metadata": None})
    assert created.status == 201
    endpoint = {"url": "http://example.com", "secret": None, "channels": None, "version": None, "metadata": None}
    assert (await api.post(f"/app/{created.json['id']}/endpoint", endpoint)).json["version"] == 1
    message = {"eventType": "a", "payload": {}, "channels": None, "eventId": None, "transformationsParams": None}
    retention = {"payloadRetentionPeriod": None, "payloadRetentionHours": None, "deliverAt": None, "tags": None}
    assert (await api.post(f"/app/{created.json['id']}/msg", {**message, **retention})).status == 202
    access = await api.post(f"/auth/app-portal-access/{created.json['id']}", {"featureFlags": None})
    assert (access.status, access.json["detail"][0]["loc"]) == (422, ["body", "featureFlags"])


async def test_an_event_id_is_taken_in_its_application_only(acme: Client) -> None:
    await acme.post("/app", {"name": "Other", "uid": "other"})
    message = {"eventType": "a", "payload": {}, "eventId": "one"}
    answers = [await acme.post(f"/app/{uid}/msg", message) for uid in ("acme", "other", "acme")]
    assert [each.status for each in answers] == [202, 202, 409]


async def test_channels_may_have_the_characters_of_the_hosted_api_and_be_ten(acme: Client) -> None:
    channels = ["project:1+2", *(f"c{number}" for number in range(9))]
    made = await acme.post("/app/acme/msg", {"eventType": "a", "payload": {}, "channels": channels})
    assert (made.status, made.json["channels"]) == (202, channels)
    endpoint = await acme.post("/app/acme/endpoint", {"url": "http://example.com", "channels": channels})
    assert (endpoint.status, endpoint.json["channels"]) == (201, channels)
    assert len((await acme.get("/app/acme/msg?channel=project%3A1%2B2")).json["data"]) == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTP://FOO.test:80/Foo", "http://foo.test/Foo"),
        ("http://127.0.0.1:1/x", "http://127.0.0.1:1/x"),
        ("http://10.0.0.1", "http://10.0.0.1/"),
    ],
)
async def test_a_url_is_shown_in_its_normal_form_and_private_ones_are_taken(
    acme: Client, given: str, kept: str
) -> None:
    made = await acme.post("/app/acme/endpoint", {"url": given})
    assert (made.status, made.json["url"]) == (201, kept)


async def test_an_endpoint_gets_nothing_of_what_was_there_before_it(acme: Client) -> None:
    async with Receiver() as receiver:
        await acme.post("/app/acme/msg", {"eventType": "a", "payload": {"n": 1}})
        await acme.post("/app/acme/endpoint", {"url": receiver.url})
        await acme.post("/app/acme/msg", {"eventType": "a", "payload": {"n": 2}})
        await receiver.wait_for(1)
        assert receiver.bodies == [b'{"n": 2}']


async def test_the_endpoints_of_a_message_are_paged_to_their_true_end(acme: Client) -> None:
    made = [(await acme.post("/app/acme/endpoint", {"url": "http://127.0.0.1:1"})).json["id"] for _ in range(3)]
    message = (await acme.post("/app/acme/msg", {"eventType": "a", "payload": {}})).json["id"]
    first = (await acme.get(f"/app/acme/msg/{message}/endpoint?limit=2")).json
    rest = (await acme.get(f"/app/acme/msg/{message}/endpoint?limit=2&iterator={first['iterator']}")).json
    assert [each["id"] for each in first["data"] + rest["data"]] == made
    assert (first["done"], rest["done"]) == (False, True)


async def test_only_who_knows_the_status_canceled_is_told_it(acme: Client) -> None:
    endpoint = (await acme.post("/app/acme/endpoint", {"url": "http://127.0.0.1:1"})).json["id"]
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    message = (await acme.post("/app/acme/msg", {"eventType": "a", "payload": {}, "deliverAt": later})).json["id"]
    assert (await acme.post(f"/app/acme/msg/{message}/cancel")).json == {"canceled": 1}
    path = f"/app/acme/endpoint/{endpoint}/msg"
    [old], [new] = [(await acme.get(path + query)).json["data"] for query in ("", "?expanded_statuses=true")]
    assert (old["status"], old["statusText"]) == (2, "fail")
    assert (new["status"], new["statusText"]) == (4, "canceled")
    [seen] = (await acme.get(f"/app/acme/msg/{message}/endpoint")).json["data"]
    assert (seen["status"], seen["statusText"]) == (2, "fail")


async def test_an_application_may_be_created_with_its_first_message(api: Client) -> None:
    body = {"eventType": "a", "payload": {}}
    assert (await api.post("/app/new/msg", {**body, "application": {"name": "N", "uid": "new"}})).status == 202
    mismatch = await api.post("/app/other/msg", {**body, "application": {"name": "N", "uid": "new"}})
    assert mismatch.json["detail"][0]["type"] == "application_uid_mismatch"
    missing = await api.post("/app/other/msg", {**body, "application": {"name": "N"}})
    assert missing.json["detail"][0]["type"] == "application_uid_missing"


async def test_archived_event_types_can_be_got_but_are_neither_listed_nor_usable(acme: Client) -> None:
    await acme.post("/event-type", {"name": "a", "description": "d"})
    assert (await acme.delete("/event-type/a")).status == 204
    assert (await acme.delete("/event-type/a")).status == 204
    assert (await acme.get("/event-type/a")).json["archived"] is True
    assert (await acme.get("/event-type")).json["data"] == []
    assert (await acme.post("/app/acme/endpoint", {"url": "http://e.com", "eventTypes": ["a"]})).status == 422
    assert (await acme.post("/app/acme/msg", {"eventType": "a", "payload": {}})).status == 202
    assert (await acme.post("/event-type", {"name": "a", "description": "new"})).status == 201


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_an_endpoint_may_be_written_back_after_its_event_type_was_archived(acme: Client, method: str) -> None:
    await acme.post("/event-type", {"name": "a", "description": "d"})
    read = (await acme.post("/app/acme/endpoint", {"url": "http://e.com", "uid": "e", "eventTypes": ["a"]})).json
    await acme.delete("/event-type/a")
    written = {"url": "http://e.com/new", "uid": "e", "eventTypes": read["eventTypes"]}
    answer = await acme(method, "/app/acme/endpoint/e", written)
    assert (answer.status, answer.json["eventTypes"], answer.json["url"]) == (200, ["a"], "http://e.com/new")


async def test_an_application_can_have_so_many_endpoints(acme: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook_engine.server.api.endpoints.MAX_ENDPOINTS", 2)
    first, _ = [(await acme.post("/app/acme/endpoint", {"url": "http://example.com"})).json for _ in range(2)]
    refused = await acme.post("/app/acme/endpoint", {"url": "http://example.com"})
    assert (refused.status, refused.json["code"]) == (400, "limit_reached")
    assert (await acme.delete(f"/app/acme/endpoint/{first['id']}")).status == 204
    assert (await acme.post("/app/acme/endpoint", {"url": "http://example.com"})).status == 201


async def test_the_eleventh_rotation_is_refused(acme: Client) -> None:
    await acme.post("/app/acme/endpoint", {"url": "http://example.com", "uid": "e"})
    for _ in range(10):
        assert (await acme.post("/app/acme/endpoint/e/secret/rotate", {})).status == 200
    refused = await acme.post("/app/acme/endpoint/e/secret/rotate", {})
    assert (refused.status, refused.json["code"]) == (400, "limit_reached")
    assert (await acme.post("/app/acme/endpoint/e/secret/rotate", {"gracePeriodSeconds": 0})).status == 200
    too_long = await acme.post("/app/acme/endpoint/e/secret/rotate", {"gracePeriodSeconds": 604801})
    assert too_long.json["detail"][0]["msg"] == "Duration must be between 0 and 7 days"


async def test_an_ed25519_endpoint_shows_its_public_key(acme: Client) -> None:
    secret = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
    await acme.post("/app/acme/endpoint", {"url": "http://example.com", "uid": "e", "secret": secret})
    shown = (await acme.get("/app/acme/endpoint/e/secret")).json["key"]
    assert shown == "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="


async def test_statistics_refuse_impossible_spans(acme: Client) -> None:
    await acme.post("/app/acme/endpoint", {"url": "http://example.com", "uid": "e"})
    future = await acme.get("/app/acme/endpoint/e/stats?until=2999-01-01T00:00:00Z")
    assert (future.status, future.json["code"]) == (400, "invalid_range")
    assert (await acme.get("/app/acme/endpoint/e/stats?since=2000-01-01T00:00:00Z")).json["code"] == "invalid_range"
    assert (await acme.get("/app/acme/endpoint/e/stats?since=never")).json["code"] == "generic_error"


MESSAGE = {"eventType": "a", "payload": {}}


class TestIdempotency:
    """A POST with a key is done once."""

    async def test_a_repetition_gets_the_same_answer_whatever_its_body(self, acme: Client) -> None:
        key = {"idempotency-key": "k"}
        first = await acme.post("/app/acme/msg", MESSAGE, headers=key)
        second = await acme.post("/app/acme/msg/", {"eventType": "b", "payload": {"x": 1}}, headers=key)
        assert (second.status, second.text) == (202, first.text)
        assert len((await acme.get("/app/acme/msg")).json["data"]) == 1

    async def test_token_target_and_query_are_part_of_the_key(self, acme: Client, tokens: Tokens) -> None:
        key = {"idempotency-key": "k"}
        first = await acme.post("/app/acme/msg", MESSAGE, headers=key)
        queried = await acme.post("/app/acme/msg?with_content=false", MESSAGE, headers=key)
        assert queried.json["id"] != first.json["id"]
        other = await acme.with_token(tokens.organization()).post("/app/acme/msg", MESSAGE, headers=key)
        assert other.json["id"] not in (first.json["id"], queried.json["id"])

    async def test_failures_are_not_kept(self, acme: Client) -> None:
        key = {"idempotency-key": "k"}
        assert (await acme.post("/app/new/msg", MESSAGE, headers=key)).status == 404
        await acme.post("/app", {"name": "New", "uid": "new"})
        assert (await acme.post("/app/new/msg", MESSAGE, headers=key)).status == 202

    async def test_concurrent_repetitions_are_one(self, acme: Client) -> None:
        answers = await asyncio.gather(
            *(acme.post("/app/acme/msg", MESSAGE, headers={"idempotency-key": "k"}) for _ in range(20))
        )
        assert len({answer.text for answer in answers}) == 1

    async def test_a_message_is_never_stored_without_its_answer(
        self, acme: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def lost(_: object) -> None:
            raise AssertionError("the answer was to be stored by itself")

        monkeypatch.setattr(engine.services.store.kept_responses, "keep", lost)
        key = {"idempotency-key": "k"}
        first = await acme.post("/app/acme/msg", {**MESSAGE, "eventId": "e"}, headers=key)
        assert first.status == 202
        assert (await acme.post("/app/acme/msg", {**MESSAGE, "eventId": "e"}, headers=key)).text == first.text
        for _ in range(2):  # what is refused is no answer to keep
            again = await acme.post("/app/acme/msg", {**MESSAGE, "eventId": "e"}, headers={"idempotency-key": "l"})
            assert again.status == 409

    async def test_an_answer_is_never_stored_without_its_message(
        self, acme: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def refuse(_: object) -> None:
            raise StoreUnavailableError("the disk is full")

        key = {"idempotency-key": "k"}
        with monkeypatch.context() as patch:
            patch.setattr(engine.services.store.messages, "add", refuse)
            assert (await acme.post("/app/acme/msg", MESSAGE, headers=key)).status == 503
        made = await acme.post("/app/acme/msg", MESSAGE, headers=key)
        assert made.status == 202
        [only] = (await acme.get("/app/acme/msg")).json["data"]
        assert only["id"] == made.json["id"]

    async def test_the_application_that_comes_with_a_message_changes_nothing(self, api: Client) -> None:
        body = {**MESSAGE, "application": {"name": "New", "uid": "new"}}
        answers = [await api.post("/app/new/msg", body, headers={"idempotency-key": "k"}) for _ in range(2)]
        assert [each.status for each in answers] == [202, 202]
        assert answers[0].text == answers[1].text
        assert len((await api.get("/app/new/msg")).json["data"]) == 1

    async def test_a_restart_keeps_keys_and_revocations(
        self, tmp_path: Path, session: aiohttp.ClientSession, tokens: Tokens
    ) -> None:
        token, leaving = tokens.organization(), tokens.organization()
        texts = []
        for _ in range(2):
            async with (
                Engine.open(tmp_path / "x.db", auth__jwt_secret=JWT_SECRET) as engine,
                engine.serve("127.0.0.1:0") as server,
            ):
                api = Client(session, server.url, token)
                made = await api.post("/app", {"name": "x"}, headers={"idempotency-key": "k"})
                texts.append(made.text)
                ended = await api.with_token(leaving).post("/auth/logout")
                assert ended.status == (204 if len(texts) == 1 else 401)
        assert texts[0] == texts[1]


async def test_a_client_sees_a_delivery_at_once(acme: Client) -> None:
    async with Receiver() as receiver:
        await acme.post("/app/acme/endpoint", {"url": receiver.url})
        await acme.post("/app/acme/msg", {"eventType": "a", "payload": {}})
        await receiver.wait_for(1, timeout=10.0)


async def test_send_example_ignores_filters_and_answers_without_payload(acme: Client) -> None:
    async with Receiver() as receiver:
        await acme.post("/event-type", {"name": "a", "description": ""})
        await acme.post("/app/acme/endpoint", {"url": receiver.url, "uid": "e", "channels": ["x"], "eventTypes": ["a"]})
        sent = await acme.post("/app/acme/endpoint/e/send-example", {"eventType": "svix.ping"})
        assert (sent.status, sent.json["payload"]) == (200, {})
        await receiver.wait_for(1)
        assert receiver.bodies == [b'{"success": true}']
        bad = await acme.post("/app/acme/endpoint/e/send-example", {"eventType": "a"})
        assert (bad.status, bad.json["code"]) == (400, "invalid_scheme")
        schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
        await acme.patch("/event-type/a", {"schemas": {"1": schema}})
        made = await acme.post("/app/acme/endpoint/e/send-example", {"eventType": "a"})
        assert made.status == 200
        await receiver.wait_for(2)
        assert receiver.bodies[1] == b'{"id":1}'
