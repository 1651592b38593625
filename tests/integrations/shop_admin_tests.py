"""The admin of the small Django project, with Django's own client and a real engine: in its process, and by its API."""

from __future__ import annotations

import html
import io
import re
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import TestCase, override_settings

from webhook_engine import SyncEngine
from webhook_engine.testing import Receiver

open_things = ExitStack()
engine: SyncEngine
receiver: Receiver
url = ""
app_id = ""
BASE = "/admin/webhook_engine"
ACTIONS = ("resend_message", "recover_endpoint")


def setUpModule() -> None:
    global engine, receiver, url, app_id
    receiver = open_things.enter_context(Receiver())
    engine = open_things.enter_context(
        SyncEngine.open(settings.WEBHOOK_ENGINE["DATABASE"], allow_subnets=["127.0.0.1/32"], retry_schedule=[])
    )
    url = open_things.enter_context(engine.serve("127.0.0.1:0")).url
    app_id = engine.applications.create(name="Acme", uid="acme").id
    engine.applications.create(name="<b>Other</b>", uid="other")


def tearDownModule() -> None:
    open_things.close()


def running() -> SyncEngine:
    return engine


def key(*ids: str) -> str:
    return "-".join(ids).replace("_", ".")


def content(response: Any) -> str:
    """What stands between the styles and the footer, as a reader sees it."""
    return html.unescape(response.content.decode().partition('id="content-main"')[2].strip())


class Pages:
    """What holds however the engine is reached."""

    client: Any

    def setUp(self) -> None:
        self.staff = User.objects.create_user("ada", password="x", is_staff=True)
        self.grant(
            "view_message", "view_endpoint", "view_attempt", "view_outboxmessage", "resend_message", "recover_endpoint"
        )
        self.client.force_login(self.staff)
        receiver.requests.clear()
        receiver.answer(status=200)
        for each in list(engine.endpoints.iterate("acme")):
            engine.endpoints.delete("acme", each.id)
        self.endpoint = engine.endpoints.create("acme", url=receiver.url, event_types=None)
        receiver.secrets = [engine.endpoints.get_secret("acme", self.endpoint.id)]

    def grant(self, *names: str) -> None:
        self.staff.user_permissions.set(Permission.objects.filter(codename__in=names))

    def get(self, path: str, status: int = 200, **query: str) -> str:
        response = self.client.get(BASE + path, query)
        assert response.status_code == status, (response.status_code, content(response))
        return response.content.decode()

    def post(self, path: str, data: dict[str, Any], status: int = 302) -> str:
        response = self.client.post(BASE + path, data)
        assert response.status_code == status, (response.status_code, content(response))
        if status == 302:
            return self.client.get(response.headers["Location"]).content.decode()
        return response.content.decode()

    def sent(self, event_type: str = "invoice.paid", **more: Any) -> Any:
        message = engine.messages.create("acme", event_type=event_type, payload={"text": "<i>hi</i>"}, **more)
        engine.join(timeout=20)
        return message

    def test_the_index_lists_them(self) -> None:
        page = self.client.get("/admin/").content.decode()
        for name in ("message", "endpoint", "attempt", "outboxmessage"):
            assert f"{BASE}/{name}/" in page
        assert "/add/" not in page.partition("webhook_engine")[2]

    def test_a_list_begins_with_the_application_and_shows_html_as_text(self) -> None:
        page = self.get("/message/")
        assert f"?application={app_id}" in page
        assert "&lt;b&gt;Other&lt;/b&gt;" in page

    def test_messages_are_listed_and_shown(self) -> None:
        message = self.sent(event_id=f"inv-{datetime.now(UTC).timestamp()}", tags=["red"])
        page = self.get("/message/", application="acme")
        assert key(app_id, message.id) in page
        assert message.event_id in page
        shown = self.get(f"/message/{key(app_id, message.id)}/change/")
        assert "{&quot;text&quot;:&quot;&lt;i&gt;hi&lt;/i&gt;&quot;}" in shown
        assert "red" in shown
        assert receiver.url in shown
        assert "success" in shown

    def test_messages_by_event_type_endpoint_and_state(self) -> None:
        good = self.sent("a.good")
        receiver.answer(status=500)
        bad = self.sent("a.bad")
        assert [good.id in page for page in [self.get("/message/", application="acme", event_type="a.good")]] == [True]
        assert bad.id not in self.get("/message/", application="acme", event_type="a.good")
        failed = self.get("/message/", application="acme", endpoint=self.endpoint.id, state="fail")
        assert bad.id in failed
        assert good.id not in failed

    def test_pages_go_on_and_back(self) -> None:
        for number in range(60):
            engine.messages.create("acme", event_type=f"page.turned.{type(self).__name__}", payload={"n": number})
        engine.join(timeout=30)
        first = self.get("/message/", application="acme", event_type=f"page.turned.{type(self).__name__}")
        (following,) = re.findall(r'<a href="(\?[^"]*)">Next</a>', first)
        second = self.client.get(f"{BASE}/message/{following.replace('&amp;', '&')}").content.decode()
        ids = [set(re.findall(r">(msg_\w+)<", page)) for page in (first, second)]
        assert [len(each) for each in ids] == [50, 10]
        assert not ids[0] & ids[1]
        assert "Next</a>" not in second
        assert "First</a>" in second

    def test_a_message_is_sent_again(self) -> None:
        receiver.answer(status=500)
        message = self.sent()
        receiver.answer(status=200)
        page = self.post("/message/?application=acme", {"action": "resend", "selected": [key(app_id, message.id)]})
        assert "1 sent again" in page
        engine.join(timeout=20)
        assert [request.message_id for request in receiver.requests] == [message.id] * 2
        assert LogEntry.objects.get().change_message == f"Sent again to {self.endpoint.id}."
        page = self.post("/message/?application=acme", {"action": "resend", "selected": [key(app_id, message.id)]})
        assert "there is no endpoint that it failed at" in page
        page = self.post(f"/message/{key(app_id, message.id)}/change/", {"endpoint": self.endpoint.id})
        assert "1 sent again" in page
        engine.join(timeout=20)
        assert len(receiver.requests) == 3

    def test_attempts_are_listed_shown_and_repeated(self) -> None:
        receiver.answer(status=418, body=b"<script>teapot</script>")
        message = self.sent()
        assert self.endpoint.id in self.get("/attempt/", application="acme")
        page = self.get("/attempt/", application="acme", endpoint=self.endpoint.id, state="fail")
        (attempt,) = engine.attempts.list_by_message("acme", message.id).data
        chosen = key(app_id, message.id, attempt.id)
        assert chosen in page
        assert "There is nothing here" in self.get(
            "/attempt/", application="acme", endpoint=self.endpoint.id, state="success"
        )
        shown = self.get(f"/attempt/{chosen}/change/")
        assert "418" in shown
        assert "&lt;script&gt;teapot" in shown
        receiver.answer(status=200)
        where = f"/attempt/?application=acme&endpoint={self.endpoint.id}"
        assert "1 sent again" in self.post(where, {"action": "resend", "selected": [chosen]})
        engine.join(timeout=20)
        assert len(receiver.requests) == 2

    def test_endpoints_are_listed_shown_and_recovered(self) -> None:
        receiver.answer(status=500)
        message = self.sent()
        chosen = key(app_id, self.endpoint.id)
        assert receiver.url in self.get("/endpoint/", application="acme")
        assert "failing" in self.get(f"/endpoint/{chosen}/change/")
        assert receiver.url not in self.get("/endpoint/", application="acme", state="disabled")
        asked = self.post("/endpoint/?application=acme", {"action": "recover", "selected": [chosen]}, status=200)
        assert 'name="since"' in asked
        wrong = self.post("/endpoint/?application=acme", {"selected": [chosen], "since": "whenever"}, status=200)
        assert "Enter a valid date/time" in wrong
        receiver.answer(status=200)
        since = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S")
        with override_settings(TIME_ZONE="UTC"):
            page = self.post(f"/endpoint/{chosen}/change/", {"selected": [chosen], "since": since})
        assert "qtask_" in page
        engine.join(timeout=20)
        assert [request.message_id for request in receiver.requests] == [message.id] * 2
        assert "Recovery" in LogEntry.objects.get().change_message
        too_far = self.post(f"/endpoint/{chosen}/change/", {"selected": [chosen], "since": "2001-01-01"})
        assert "errorlist" in too_far or 'class="error"' in too_far

    def test_without_permission_there_is_nothing(self) -> None:
        message = self.sent()
        self.grant("view_message")
        self.get("/endpoint/", 403)
        self.get("/attempt/", 403, application="acme")
        page = self.get("/message/", application="acme")
        assert "Send again" not in page
        self.post("/message/?application=acme", {"action": "resend", "selected": [key(app_id, message.id)]}, status=403)
        self.post(f"/message/{key(app_id, message.id)}/change/", {"endpoint": self.endpoint.id}, status=403)
        self.get(f"/message/{key(app_id, message.id)}/delete/", 403)
        self.get("/message/add/", 403)
        self.grant("view_endpoint")
        self.post("/endpoint/?application=acme", {"selected": [key(app_id, self.endpoint.id)]}, status=403)
        self.client.logout()
        self.get("/message/", 302)
        engine.join(timeout=20)
        assert len(receiver.requests) == 1

    def test_what_is_not_there_is_not_found(self) -> None:
        self.get("/message/", 404, application="nobody")
        for path in ("message", "endpoint", "attempt"):
            self.get(f"/{path}/nonsense/change/", 404)
            self.get(f"/{path}/{key(app_id, 'msg_x', 'atmpt_y')}/change/", 404)
        self.get(f"/message/{key(app_id, 'msg_2abcdefghijklmnopqrstuvwxyz')}/change/", 404)
        self.get("/message/", 503, application="acme", iterator="nonsense")

    def test_an_action_on_nothing_says_so(self) -> None:
        assert "Nothing was selected" in self.post("/message/?application=acme", {"action": "resend"})
        assert "No endpoint was selected" in self.post("/endpoint/?application=acme", {"action": "recover"})


@override_settings(WEBHOOK_ENGINE={**settings.WEBHOOK_ENGINE, "ENGINE": "shop_admin_tests.running"})
class WithinProcess(Pages, TestCase):
    """``ENGINE`` names a function that returns the engine."""


class OverHttp(Pages, TestCase):
    """``API`` is where an engine serves."""

    def setUp(self) -> None:
        override = override_settings(WEBHOOK_ENGINE={**settings.WEBHOOK_ENGINE, "API": url})
        override.enable()
        self.addCleanup(override.disable)
        super().setUp()


class WithoutEngine(TestCase):
    """What the pages say where there is none."""

    def setUp(self) -> None:
        self.client.force_login(User.objects.create_superuser("root"))

    def said(self, **given: Any) -> str:
        with override_settings(WEBHOOK_ENGINE={**settings.WEBHOOK_ENGINE, **given}):
            response = self.client.get(f"{BASE}/message/")
        assert response.status_code == 503
        return content(response)

    def test_it_says_what_to_do(self) -> None:
        assert "--listen" in self.said()
        assert "no webhook engine answers at http://127.0.0.1:1" in self.said(API="http://127.0.0.1:1")
        assert "No module named" in self.said(ENGINE="nowhere.engine")
        assert "is a ExitStack" in self.said(ENGINE="shop_admin_tests.open_things")

    def test_settings_that_lead_nowhere_are_named(self) -> None:
        assert "API must be the http:// or https:// URL" in self.said(API="127.0.0.1:8071")
        assert "ENGINE must be the dotted path" in self.said(ENGINE=engine)

    def test_another_secret_is_said_to_be_one(self) -> None:
        given = {"API": url, "SETTINGS": {"auth__jwt_secret": "another one, quite long enough to be a secret"}}
        assert "same auth.jwt_secret" in self.said(**given)

    def test_the_outbox_is_an_ordinary_list(self) -> None:
        assert self.client.get(f"{BASE}/outboxmessage/").status_code == 200

    def test_dumpdata_finds_no_rows_and_no_missing_table(self) -> None:
        call_command("dumpdata", "webhook_engine", "--all", stdout=io.StringIO())
