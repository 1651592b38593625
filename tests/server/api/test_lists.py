"""Pages of lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from api_clients import Client


async def test_after_alone_pages_from_the_oldest_and_shows_the_newest_first(acme: Client) -> None:
    ids = [(await acme.post("/app/acme/msg", {"eventType": "a", "payload": {}})).json["id"] for _ in range(3)]
    since = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S UTC").replace(" ", "%20")
    page = (await acme.get(f"/app/acme/msg?limit=2&after={since}")).json
    assert [each["id"] for each in page["data"]] == [ids[1], ids[0]]
    everything = (await acme.get("/app/acme/msg")).json
    assert everything["done"] is True
    assert everything["iterator"] == ids[0]
    assert everything["prevIterator"] == f"-{ids[2]}"
