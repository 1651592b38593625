"""What clients compare to the letter: slashes, compactness, payload text, error bodies, nulls and absences."""

from __future__ import annotations

import json

import pytest
from api_clients import Client
from engines import until
from receivers import Receiver

from webhook_engine import Engine


@pytest.mark.parametrize("path", ["//root/api/v1/app/", "//root//api/v1/app", "//root/api/v1//app//?limit=1"])
async def test_slashes_make_no_difference_and_are_not_redirected(api: Client, path: str) -> None:
    assert (await api.get(path)).status == 200


async def test_answers_are_compact_json(acme: Client) -> None:
    assert (await acme.get("/app?limit=0")).text == '{"data":[],"iterator":null,"done":false}'


async def test_nulls_and_absences_are_those_of_each_type(acme: Client) -> None:
    application = (await acme.get("/app/acme")).json
    assert list(application) == ["uid", "name", "throttleRate", "id", "createdAt", "updatedAt", "metadata"]
    anonymous = (await acme.post("/app", {"name": "x"})).json
    assert "uid" not in anonymous
    assert "rateLimit" not in anonymous
    assert (await acme.patch("/app/acme", {"rateLimit": 5})).json["rateLimit"] == 5
    endpoint = (await acme.post("/app/acme/endpoint", {"url": "http://example.com"})).json
    assert list(endpoint) == [
        *("description", "rateLimit", "throttleRate", "uid", "url", "version", "disabled", "eventTypes", "filterTypes"),
        *("channels", "createdAt", "updatedAt", "id", "metadata"),
    ]
    assert (endpoint["uid"], endpoint["eventTypes"], endpoint["rateLimit"], endpoint["version"]) == (
        None,
        None,
        None,
        1,
    )
    message = (await acme.post("/app/acme/msg", {"eventType": "a", "payload": {}})).json
    assert list(message) == ["eventId", "eventType", "payload", "channels", "id", "timestamp"]
    assert (message["eventId"], message["channels"]) == (None, None)


async def test_attempts_have_the_fields_of_the_contract(acme: Client) -> None:
    async with Receiver(500) as receiver:
        endpoint = (await acme.post("/app/acme/endpoint", {"url": receiver.url})).json
        message = (await acme.post("/app/acme/msg", {"eventType": "a", "payload": {}})).json

        async def three() -> list[dict[str, object]]:
            found = (await acme.get(f"/app/acme/attempt/msg/{message['id']}")).json["data"]
            return found if len(found) == 3 else []

        attempts = await until(three)
        assert list(attempts[0]) == [
            *("url", "response", "responseStatusCode", "responseDurationMs", "status", "statusText", "triggerType"),
            *("msgId", "endpointId", "id", "timestamp"),
        ]
        assert [each["id"] for each in attempts] == sorted((each["id"] for each in attempts), reverse=True)
        assert (attempts[0]["status"], attempts[0]["statusText"], attempts[0]["responseStatusCode"]) == (2, "fail", 500)
        [listed] = (await acme.get(f"/app/acme/endpoint/{endpoint['id']}/msg")).json["data"]
        assert (listed["status"], listed["statusText"], "nextAttempt" in listed) == (2, "fail", False)
        [seen] = (await acme.get(f"/app/acme/msg/{message['id']}/endpoint")).json["data"]
        assert (seen["status"], seen["nextAttempt"], "metadata" in seen) == (2, None, False)


class TestErrors:
    """Bodies of errors, exactly."""

    async def test_validation_errors_have_only_detail(self, api: Client) -> None:
        answer = await api.post("/app", {"name": ""})
        assert answer.status == 422
        assert answer.text == (
            '{"detail":[{"loc":["body","name"],"msg":"Application names must be at least one character",'
            '"type":"value_error"}]}'
        )

    async def test_other_errors_have_code_and_detail(self, api: Client) -> None:
        assert (await api.get("/app/none")).text == '{"code":"not_found","detail":"Entity not found"}'
        assert (await api.post("/app/none/msg", {"eventType": "a", "payload": {}})).text == (
            '{"code":"not_found","detail":"Application not found"}'
        )

    async def test_schemas_must_be_of_draft_07(self, api: Client) -> None:
        wrong = {"1": {"type": "object"}, "2": {"properties": {"id": {"type": "strin"}}}}
        for send, path in ((api.post, "/event-type"), (api.put, "/event-type/a.b"), (api.patch, "/event-type/a.b")):
            answer = await send(path, {"name": "a.b", "description": "", "schemas": wrong})
            assert answer.status == 422
            [problem] = answer.json["detail"]
            assert (problem["loc"], problem["type"]) == (["body", "schemas", "2"], "value_error.jsondecode")
            assert 'at properties/id/type: "strin"' in problem["msg"]
        assert (await api.get("/event-type/a.b")).status == 404

    @pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"nul", b'{"name":"x"', b"\xff", b'"x"'])
    async def test_problems_at_the_root_have_two_empty_names(self, api: Client, body: bytes) -> None:
        [problem] = (await api.post("/app", body)).json["detail"]
        assert problem["loc"] == ["body", "", ""]
        assert problem["type"] == "value_error.jsondecode"

    @pytest.mark.parametrize(
        ("given", "loc"),
        [
            ({"name": "x", "rateLimit": 1.0}, ["body", "rateLimit"]),
            ({"name": "x", "rateLimit": -1}, ["body", "rateLimit"]),
            ({"name": "x", "throttleRate": 70000}, ["body", "throttleRate"]),
            ({"name": None}, ["body", "name"]),
            ({"name": "x", "metadata": []}, ["body", "metadata"]),
            ({"name": "x", "metadata": {"a": 1}}, ["body", "metadata"]),
            ({"name": "x", "metadata": {"a": {"b": "c"}}}, ["body", "metadata"]),
        ],
    )
    async def test_type_errors_are_located_in_names_of_json(self, api: Client, given: object, loc: list[str]) -> None:
        [problem] = (await api.post("/app", given)).json["detail"]
        assert (problem["loc"], problem["type"]) == (loc, "value_error.jsondecode")

    @pytest.mark.parametrize(
        ("given", "loc"),
        [
            ({"name": "x", "uid": "ä"}, ["body", "uid", "__all__"]),
            ({"name": "x", "uid": "app_x"}, ["body", "uid", "__all__"]),
            ({"name": "x", "uid": ""}, ["body", "uid", "__all__"]),
            ({"name": "x", "throttleRate": 0}, ["body", "throttle_rate"]),
            ({"name": "x", "rateLimit": 0}, ["body", "rate_limit"]),
            ({"name": "x\x01"}, ["body", "name"]),
            ({"name": "x", "metadata": {"a": "b" * 5000}}, ["body", "metadata", "__all__"]),
        ],
    )
    async def test_rules_are_located_in_snake_case(self, api: Client, given: object, loc: list[str]) -> None:
        answer = await api.post("/app", given)
        [problem] = answer.json["detail"]
        assert (answer.status, problem["loc"], problem["type"]) == (422, loc, "value_error")

    async def test_message_rules(self, acme: Client) -> None:
        async def problem(**body: object) -> dict[str, object]:
            answer = await acme.post("/app/acme/msg", {"eventType": "a", "payload": {}, **body})
            assert answer.status == 422, answer.text
            return dict(answer.json["detail"][0])

        assert (await problem(payload=[]))["msg"] == "Payload must be an object."
        assert (await problem(eventType="a b"))["loc"] == ["body", "event_type", "__all__"]
        assert (await problem(eventId="msg_1"))["loc"] == ["body", "uid", "__all__"]
        assert (await problem(channels=[]))["loc"] == ["body", "channels", "__all__"]
        assert (await problem(channels=["ok", "not ok"]))["loc"] == ["body", "channels", "[1]", "__all__"]
        assert (await problem(channels=[f"c{number}" for number in range(11)]))["loc"] == [
            "body",
            "channels",
            "__all__",
        ]
        assert (await problem(payloadRetentionPeriod=91))["msg"] == "Validation error"
        assert (await problem(deliverAt="tomorrow"))["loc"] == ["body", "deliverAt"]

    async def test_endpoint_rules(self, acme: Client) -> None:
        async def problem(**body: object) -> dict[str, object]:
            answer = await acme.post("/app/acme/endpoint", {"url": "http://example.com", **body})
            assert answer.status == 422, answer.text
            return dict(answer.json["detail"][0])

        assert (await problem(eventTypes=["no.such"])) == {
            "loc": ["body", "eventTypes"],
            "msg": "The following event types don't exist: no.such",
            "type": "value_error",
        }
        assert (await problem(url="ftp://x"))["msg"] == "Endpoint URL schemes must be http or https"
        assert (await problem(url="x"))["type"] == "value_error.jsondecode"
        assert (await problem(secret="whsec_x"))["loc"] == ["body", "key", "__all__"]
        assert (await problem(description=None))["type"] == "value_error.jsondecode"
        assert (await problem(disabled=None))["loc"] == ["body", "disabled"]
        assert (await problem(channels=["a", 1]))["loc"] == ["body", "channels[1]"]
        # A client that sends back what it got sends both names.
        both = await problem(eventTypes=None, filterTypes=None)
        assert both["loc"] == ["body", "", ""]
        assert "duplicate field" in str(both["msg"])

    async def test_headers_are_refused_alike_wherever_they_are_given(self, acme: Client) -> None:
        await acme.post("/app/acme/endpoint", {"url": "http://example.com", "uid": "e"})
        for headers, says in (
            ({"User-Agent": "x"}, 'headers["User-Agent"]: must not be set: this header is the engine\'s own'),
            ({"a b": "x"}, "headers: must have header names of 1 to 256 letters, digits and '-'"),
            ({"x": 1}, "headers: Expected `str`, got `int` in one of its values"),
        ):
            new = await acme.post("/app/acme/endpoint", {"url": "http://example.com", "headers": headers})
            put = await acme.put("/app/acme/endpoint/e/headers", {"headers": headers})
            for answer in (new, put):
                [problem] = answer.json["detail"]
                assert problem["loc"] == ["body", "headers"]
                assert problem["msg"].replace("`str | null`", "`str`") == says
                assert problem["type"] == "value_error.jsondecode"

    async def test_a_name_in_the_path_is_located_there(self, api: Client) -> None:
        [problem] = (await api.put("/event-type/no%20good", {"description": ""})).json["detail"]
        assert problem["loc"] == ["path", "event_type_name", "__all__"]

    async def test_a_failure_of_the_server_tells_nothing(
        self, acme: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def broken(*_: object) -> None:
            raise RuntimeError("secret things")

        monkeypatch.setattr(engine.services.store.messages, "list", broken)
        answer = await acme.get("/app/acme/msg")
        assert (answer.status, answer.text, answer.headers["content-type"]) == (500, "{}", "application/json")
        assert "secret things" in caplog.text

    async def test_limit_is_refused_and_not_clamped(self, acme: Client) -> None:
        answer = await acme.get("/app?limit=251")
        assert answer.json["detail"][0]["loc"] == ["query", "limit", "limit"]
        assert (await acme.get("/app?limit=250")).status == 200
        assert (await acme.get("/app?limit=-1")).json["code"] == "generic_error"
        assert (await acme.get("/app?limit=NaN")).status == 400
        assert (await acme.get("/app?iterator=ep_x")).json["detail"][0]["loc"] == ["query", "iterator", "__all__"]
        assert (await acme.get("/app/acme/msg?iterator=msg_x")).status == 422

    async def test_unknown_routes_and_methods_are_json(self, api: Client) -> None:
        assert (await api.get("/nope")).json["code"] == "not_found"
        assert (await api.delete("/app")).json["code"] == "method_not_allowed"
        assert (await api.get("//root/elsewhere")).json["code"] == "not_found"
        hosted = await api.get("/app/x/integration")
        assert (hosted.status, "Integrations" in hosted.json["detail"]) == (404, True)

    async def test_conflicts(self, acme: Client) -> None:
        assert (await acme.post("/app", {"name": "x", "uid": "acme"})).text == (
            '{"code":"conflict","detail":"An application with that id or uid already exists"}'
        )
        message = {"eventType": "a", "payload": {}, "eventId": "one"}
        assert (await acme.post("/app/acme/msg", message)).status == 202
        assert (await acme.post("/app/acme/msg", message)).text == (
            '{"code":"conflict","detail":"A conflict has occurred"}'
        )


async def test_health_needs_no_token_and_openapi_neither(api: Client) -> None:
    anybody = api.with_token(None)
    assert (await anybody.get("/health")).json["database"] == {"status": "ok"}
    ping = await anybody.get("/health/ping")
    assert (ping.status, ping.text) == (204, "")
    assert json.loads((await anybody.get("/openapi.json")).text)["openapi"] == "3.1.0"


async def test_any_page_may_call_the_api(api: Client) -> None:
    preflight = await api("OPTIONS", "/app", headers={"access-control-request-headers": "authorization,x-y"})
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-headers"] == "authorization,x-y"
    assert preflight.headers["access-control-max-age"] == "600"
    assert (await api.get("/nope")).headers["access-control-allow-origin"] == "*"
