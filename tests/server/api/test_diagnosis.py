"""Why a request does not verify, asked over the API."""

from __future__ import annotations

from api_clients import Client, Tokens
from receivers import Receiver

from webhook_engine import Engine


async def test_a_request_is_judged_by_its_headers_and_its_body(acme: Client, engine: Engine) -> None:
    async with Receiver() as receiver:
        one, other = [(await engine.endpoints.create("acme", url=receiver.url)).id for _ in range(2)]
        await engine.endpoints.send_example("acme", one, event_type="webhook.ping")
        [request] = await receiver.wait_for(1)
    headers = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
    body = request.body.decode()

    async def told(endpoint: str, headers: str, body: str) -> dict[str, object]:
        asked = {"headers": headers, "body": body}
        response = await acme.post(f"/app/acme/endpoint/{endpoint}/diagnose", asked)
        assert response.status == 200
        return response.json

    assert (await told(one, headers, body))["finding"] == "verified"
    found = await told(other, headers, body)
    assert (found["endpointId"], found["endpointUrl"]) == (one, receiver.url)
    assert (await told(one, "", body))["header"] == "webhook-id"


async def test_headers_are_bounded_and_who_may_not_see_the_secret_may_not_ask(acme: Client, tokens: Tokens) -> None:
    endpoint = (await acme.post("/app/acme/endpoint", {"url": "https://example.com"})).json["id"]
    path = f"/app/acme/endpoint/{endpoint}/diagnose"
    assert (await acme.post(path, {"headers": "a" * 65_537, "body": ""})).status == 422
    reader = acme.with_token(tokens.application((await acme.get("/app/acme")).json["id"], capabilities=["ViewBase"]))
    assert (await reader.post(path, {"headers": "", "body": ""})).status == 403
