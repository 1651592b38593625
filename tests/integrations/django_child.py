"""Uses the small Django project as a test client does: Django is set up once for a process, hence one of its own."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import django
from django.test import Client

from webhook_engine import Webhook

django.setup()

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{ "type": "invoice.paid" }'

client = Client(enforce_csrf_checks=True)
paid = client.post("/pay").json()["id"]
client.post("/pay?fail=1")

now = datetime.now(UTC)
headers = {
    "webhook-id": "msg_1",
    "webhook-timestamp": str(int(time.time())),
    "webhook-signature": Webhook(SECRET).sign("msg_1", now, BODY),
}
genuine = client.post("/hooks", BODY, content_type="application/json", headers=headers)
altered = client.post("/hooks", BODY + b" ", content_type="application/json", headers=headers)
print(
    json.dumps(
        {
            "paid": paid,
            "genuine": [genuine.status_code, genuine.json()],
            "altered": [altered.status_code, altered.json()["code"]],
            "guarded": client.post("/guarded").status_code,
        }
    )
)
