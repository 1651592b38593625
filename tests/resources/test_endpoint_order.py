"""Where the orders of an endpoint stand, for callers."""

import pytest
from engines import acme

from webhook_engine import Engine
from webhook_engine.errors import NotFoundError, ValidationError


async def test_orders_are_listed_in_pages(engine: Engine) -> None:
    endpoint = await acme(engine, "http://127.0.0.1:1/", ordering="fifo", retry_schedule=["1h"])
    for key in ("b", None, "a", "a"):
        await engine.messages.create("acme", event_type="a", payload={}, ordering_key=key)
    orders = await engine.endpoints.orders("acme", endpoint.id, limit=2)
    assert [(one.ordering_key, one.waiting) for one in orders] == [(None, 0), ("a", 1)]
    [rest] = await engine.endpoints.orders("acme", endpoint.id, after="a")
    assert rest.ordering_key == "b"
    with pytest.raises(ValidationError, match="limit"):
        await engine.endpoints.orders("acme", endpoint.id, limit=0)


async def test_what_keeps_no_order_cannot_be_skipped(engine: Engine) -> None:
    endpoint = await acme(engine, "http://127.0.0.1:1/")
    message = await engine.messages.create("acme", event_type="a", payload={})
    with pytest.raises(NotFoundError):
        await engine.endpoints.skip("acme", endpoint.id, message.id)
    with pytest.raises(NotFoundError):
        await engine.endpoints.skip("acme", endpoint.id, "msg_unknown")
