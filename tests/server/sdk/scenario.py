"""One scenario through the last 1.x of the official Python SDK: python scenario.py URL TOKEN RECEIVER."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import svix.api as api
from svix.api import Svix, SvixOptions
from svix.exceptions import HttpError, HTTPValidationError
from svix.webhooks import Webhook

url, token, receiver = sys.argv[1:]
svix: Any = Svix(token, SvixOptions(server_url=url))
models: Any = api


def eventually(check: Callable[[], Any]) -> Any:
    end = time.monotonic() + 10
    while not (found := check()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def fails(status: int, call: Callable[..., Any], *arguments: Any) -> None:
    found = 200
    try:
        call(*arguments)
    except HTTPValidationError:
        found = 422
    except HttpError as error:
        found = error.status_code
    assert found == status


app = svix.application.create(models.ApplicationIn(name="Acme", uid="acme", metadata={"plan": "pro"}))
assert svix.application.get_or_create(models.ApplicationIn(name="Other", uid="acme")).id == app.id
assert svix.application.patch("acme", models.ApplicationPatch(rate_limit=7)).rate_limit == 7
for number in range(3):
    svix.application.create(models.ApplicationIn(name=f"Other {number}"))
first = svix.application.list(models.ApplicationListOptions(limit=2))
second = svix.application.list(models.ApplicationListOptions(limit=2, iterator=first.iterator))
assert (len(first.data), first.done, len(second.data), second.done) == (2, False, 2, True)
back = svix.application.list(models.ApplicationListOptions(limit=2, iterator=second.prev_iterator))
assert [each.id for each in back.data] == [each.id for each in first.data]

example = {"1": {"type": "object", "examples": [{}]}}
svix.event_type.create(models.EventTypeIn(name="invoice.paid", description="Paid", schemas=example))
fails(409, svix.event_type.create, models.EventTypeIn(name="invoice.paid", description="Paid"))

endpoint = svix.endpoint.create("acme", models.EndpointIn(url=receiver, uid="main", filter_types=["invoice.paid"]))
svix.endpoint.update_headers("acme", "main", models.EndpointHeadersIn(headers={"X-One": "1", "Authorization": "s"}))
headers = svix.endpoint.get_headers("acme", "main")
assert (headers.headers, headers.sensitive) == ({"X-One": "1"}, ["Authorization"])
before = svix.endpoint.get_secret("acme", "main").key
svix.endpoint.rotate_secret("acme", "main", models.EndpointSecretRotateIn())
secret = svix.endpoint.get_secret("acme", "main").key
assert secret != before
Webhook(secret)

body = models.MessageIn(event_type="invoice.paid", payload={"id": 1}, event_id="inv-1")
once = models.MessageCreateOptions(idempotency_key="once")
message = svix.message.create("acme", body, once)
assert svix.message.create("acme", body, once).id == message.id
fails(409, svix.message.create, "acme", body)
[attempt] = eventually(lambda: svix.message_attempt.list_by_msg("acme", message.id).data)
assert attempt.status == 0
assert svix.message_attempt.get("acme", message.id, attempt.id).id == attempt.id
assert len(svix.message_attempt.list_by_endpoint("acme", endpoint.id).data) == 1
svix.message_attempt.resend("acme", message.id, endpoint.id)
eventually(lambda: len(svix.message_attempt.list_by_msg("acme", message.id).data) == 2)
assert svix.message.get("acme", "inv-1").payload == {"id": 1}
svix.endpoint.recover("acme", endpoint.id, models.RecoverIn(since=datetime.now(UTC) - timedelta(hours=1)))
svix.endpoint.send_example("acme", endpoint.id, models.EventExampleIn(event_type="invoice.paid"))
assert svix.endpoint.get_stats("acme", endpoint.id).fail == 0

access = svix.authentication.app_portal_access("acme", models.AppPortalAccessIn())
portal: Any = Svix(access.token, SvixOptions(server_url=url))
assert portal.application.get("acme").uid == "acme"
fails(403, portal.application.list)
fails(422, svix.application.create, models.ApplicationIn(name=""))
fails(404, svix.application.get, "nobody")
fails(404, svix.integration.list, "acme")
svix.endpoint.delete("acme", "main")
svix.application.delete("acme")
print("done")
