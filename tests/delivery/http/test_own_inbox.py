"""Which URLs are inboxes of the engine itself."""

from __future__ import annotations

import pytest
from yarl import URL

from webhook_engine.delivery.http.own_inbox import OwnInboxes

TOKEN = "AbCdEfGhIjKlMnOpQrSt_-01"


@pytest.mark.parametrize(
    ("url", "covered"),
    [
        (f"http://127.0.0.1:8071/play/in/{TOKEN}/", True),
        (f"http://127.0.0.1:8071/play/in/{TOKEN}", True),
        (f"https://example.com/hooks/play/in/{TOKEN}/", True),
        (f"https://example.com/play/in/{TOKEN}/", False),
        (f"http://127.0.0.1:8072/play/in/{TOKEN}/", False),
        (f"https://127.0.0.1:8071/play/in/{TOKEN}/", False),
        (f"http://127.0.0.2:8071/play/in/{TOKEN}/", False),
        (f"http://localhost:8071/play/in/{TOKEN}/", False),
        (f"http://127.0.0.1:8071/play/in/{TOKEN}/%2e%2e/x", False),
        (f"http://127.0.0.1:8071/play/in/{TOKEN}/../../x", False),
        (f"http://127.0.0.1:8071//play/in/{TOKEN}/", False),
        (f"http://127.0.0.1:8071/x/play/in/{TOKEN}/", False),
        (f"http://127.0.0.1:8071/PLAY/in/{TOKEN}/", False),
    ],
)
def test_only_inboxes_at_exactly_the_own_origin_are_covered(url: str, covered: bool) -> None:
    own = OwnInboxes()
    own.serve_at(["https://example.com/hooks", "http://127.0.0.1:8071"])
    assert own.covers(URL(url, encoded=True)) is covered
    own.serve_at([])
    assert not own.covers(URL(url, encoded=True))


def test_a_unix_socket_covers_nothing() -> None:
    own = OwnInboxes()
    own.serve_at(["unix:/run/webhooks.sock"])
    assert not own.covers(URL(f"unix:/run/webhooks.sock/play/in/{TOKEN}/", encoded=True))
