"""Lists in queries."""

from __future__ import annotations

import pytest
from api_clients import Client


@pytest.mark.parametrize(
    "query",
    [
        "event_types=a&event_types=b",
        "event_types=a,b",
        "event_types[]=a&event_types[]=b",
        "event_types%5B0%5D=a&event_types%5B1%5D=b",
    ],
)
async def test_lists_in_queries_have_four_spellings(acme: Client, query: str) -> None:
    for event_type in "abc":
        await acme.post("/app/acme/msg", {"eventType": event_type, "payload": {}})
    found = (await acme.get(f"/app/acme/msg?{query}")).json["data"]
    assert [each["eventType"] for each in found] == ["b", "a"]
    assert (await acme.get("/app/acme/msg?event_types=")).json["detail"][0]["loc"] == ["query", "__all__"]
