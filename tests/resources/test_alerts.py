"""Alerts: who asked for them hears what happens to the endpoints of an application, and nobody else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from engines import DAY, Answers, acme, local_engine, pass_time, send, until
from mailboxes import Mailbox
from receivers import Receiver
from svix.webhooks import Webhook

from webhook_engine import Engine, ManualClock, NotFoundError, ValidationError
from webhook_engine.resources.alerts import AlertLinks

ADDRESS = "ops@example.com"


async def fail_for(engine: Engine, clock: ManualClock, days: float) -> None:
    """Messages that fail, for so long."""
    for _ in range(round(days * 4)):
        await send(engine)
        await engine.join(timeout=10)
        await pass_time(engine, clock, DAY.total_seconds() / 4)


async def test_an_address_hears_of_failing_disabled_and_recovered_endpoints(tmp_path: Path) -> None:
    clock, answers = ManualClock(), Answers(503)
    async with (
        Mailbox() as mailbox,
        Receiver(answers) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=[], alerts__digest="0s", **mailbox.settings) as engine,
    ):
        await acme(engine, receiver.url)
        alert = await engine.alerts.create("acme", kind="email", to=ADDRESS)
        assert (alert.kind, alert.to, alert.active) == ("email", ADDRESS, True)
        await fail_for(engine, clock, 3)
        [letter] = await until(lambda: mailbox.to(ADDRESS))
        assert letter["subject"] == f"Failing: {receiver.url} of Acme"
        assert letter["from"] == "Webhooks <webhooks@example.com>"
        assert "it will be disabled" in letter.get_content()
        answers.status = 200
        await send(engine)
        await engine.join(timeout=10)
        assert [one["subject"].partition(":")[0] for one in mailbox.letters] == ["Failing", "Recovered"]
        answers.status = 503
        await fail_for(engine, clock, 5.5)
        assert [one["subject"].partition(":")[0] for one in mailbox.letters][2:] == ["Failing", "Disabled"]
        assert (await engine.endpoints.list("acme")).data[0].disabled


async def test_a_webhook_of_ones_own_gets_the_events_signed_and_only_those_asked_for(tmp_path: Path) -> None:
    clock = ManualClock()
    async with (
        Receiver() as own,
        Receiver(410) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=[]) as engine,
    ):
        endpoint = await acme(engine, receiver.url)
        alert = await engine.alerts.create("acme", kind="webhook", to=own.url, events=["endpoint.disabled"])
        assert alert.events == ("endpoint.disabled",)
        secret = await engine.alerts.get_secret("acme", alert.id)
        await send(engine)
        await engine.join(timeout=10)
        [request] = own.requests
        Webhook(secret).verify(request.body, dict(request.headers))
        told = json.loads(request.body)
        assert told["type"] == "endpoint.disabled"
        assert told["data"]["endpointId"] == endpoint.id
        assert told["data"]["endpointUrl"] == receiver.url
        assert told["data"]["appName"] == "Acme"


async def test_alerts_of_another_application_hear_nothing(tmp_path: Path) -> None:
    async with (
        Receiver() as own,
        Receiver(410) as receiver,
        local_engine(tmp_path / "e.db", retry_schedule=[]) as engine,
    ):
        await acme(engine, receiver.url)
        await engine.applications.create(name="Other", uid="other")
        await engine.alerts.create("other", kind="webhook", to=own.url)
        await send(engine)
        await engine.join(timeout=10)
        assert own.requests == []


async def test_an_address_that_somebody_else_gave_is_asked_first(tmp_path: Path) -> None:
    async with (
        Mailbox() as mailbox,
        Receiver(410) as receiver,
        local_engine(
            tmp_path / "e.db",
            retry_schedule=[],
            alerts__digest="0s",
            server__public_url="https://hooks.example.com",
            **mailbox.settings,
        ) as engine,
    ):
        await acme(engine, receiver.url)
        alert = await engine.alerts.create("acme", kind="email", to=ADDRESS, confirmed=False)
        assert not alert.active
        [asking] = await until(lambda: mailbox.to(ADDRESS))
        assert asking["subject"] == "Confirm alerts about webhooks"
        links = AlertLinks(engine.services)
        [key] = re.findall(r"https://hooks\.example\.com/alerts/confirm/(\S+)", asking.get_content())
        assert not await links.unsubscribe(key)  # it is good for one purpose
        await send(engine)
        await engine.join(timeout=10)
        assert len(mailbox.letters) == 1
        assert await links.confirm(key)
        assert (await engine.alerts.get("acme", alert.id)).active
        await engine.alerts.test("acme", alert.id)
        await engine.join(timeout=10)
        letter = mailbox.letters[-1]
        assert letter["subject"] == "Test: alerts about webhooks of Acme"
        assert letter["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
        unsubscribe = letter["list-unsubscribe"].strip("<>").rpartition("/")[2]
        assert await links.unsubscribe(unsubscribe)
        assert await links.unsubscribe(unsubscribe)
        assert await engine.alerts.list("acme") == ()
        assert not await links.confirm(key)
        assert not await links.confirm("rubbish")


async def test_alerts_are_listed_changed_and_gone_with_the_application(tmp_path: Path) -> None:
    async with Receiver() as own, local_engine(tmp_path / "e.db") as engine:
        await engine.applications.create(name="Acme", uid="acme")
        assert await engine.alerts.list("acme") == ()
        first = await engine.alerts.create("acme", kind="webhook", to=own.url)
        second = await engine.alerts.create("acme", kind="webhook", to=own.url)
        assert [one.id for one in await engine.alerts.list("acme")] == [first.id, second.id]
        changed = await engine.alerts.update("acme", first.id, events=["endpoint.backlog"])
        assert changed.events == ("endpoint.backlog",)
        await engine.alerts.delete("acme", second.id)
        assert [one.id for one in await engine.alerts.list("acme")] == [first.id]
        await engine.applications.delete("acme")
        await engine.applications.create(name="Acme", uid="acme")
        assert await engine.alerts.list("acme") == ()


async def test_what_cannot_be_is_refused_with_a_reason(tmp_path: Path) -> None:
    async with Receiver() as own, local_engine(tmp_path / "e.db") as engine:
        await engine.applications.create(name="Acme", uid="acme")
        for given, text in (
            ({"kind": "fax", "to": own.url}, "email, slack, discord, teams or webhook"),
            ({"kind": "email", "to": ADDRESS}, "smtp_host"),
            ({"kind": "webhook", "to": "ops@example.com"}, "http"),
            ({"kind": "webhook", "to": own.url, "events": ["a.b"]}, "endpoint.failing"),
            ({"kind": "webhook", "to": own.url, "events": []}, "at least one"),
        ):
            with pytest.raises(ValidationError, match=text):
                await engine.alerts.create("acme", **given)
        with pytest.raises(NotFoundError):
            await engine.alerts.create("nobody", kind="webhook", to=own.url)
        with pytest.raises(NotFoundError, match="alert"):
            await engine.alerts.get("acme", "ep_1")
        for _ in range(20):
            await engine.alerts.create("acme", kind="webhook", to=own.url)
        with pytest.raises(ValidationError, match="at most 20"):
            await engine.alerts.create("acme", kind="webhook", to=own.url)


async def test_the_platform_s_own_webhooks_may_go_to_an_address(tmp_path: Path) -> None:
    async with (
        Mailbox() as mailbox,
        Receiver(410) as receiver,
        local_engine(tmp_path / "e.db", retry_schedule=[], alerts__digest="0s", **mailbox.settings) as engine,
    ):
        await acme(engine, receiver.url)
        platform = engine.organization(engine.config.operational.organization)
        await platform.applications.create(name="ours", uid=engine.id)
        await platform.endpoints.create(engine.id, url=f"mailto:{ADDRESS}", event_types=["endpoint.disabled"])
        with pytest.raises(ValidationError, match="must be absolute"):
            await engine.endpoints.create("acme", url=f"mailto:{ADDRESS}")
        await send(engine)
        await engine.join(timeout=10)
        [letter] = await until(lambda: mailbox.to(ADDRESS))
        assert letter["subject"].startswith("Disabled: ")


async def test_a_mail_server_that_is_away_is_nobody_s_failure_and_nothing_is_lost(tmp_path: Path) -> None:
    async with Mailbox() as mailbox:
        settings = mailbox.settings
    async with Receiver(410) as receiver, local_engine(
        tmp_path / "e.db", retry_schedule=[], alerts__digest="0s", **settings
    ) as engine:  # fmt: skip
        await acme(engine, receiver.url)
        alert = await engine.alerts.create("acme", kind="email", to=ADDRESS)
        await send(engine)
        await until(lambda: engine.measures.troubles.present(engine.services.clock.now()))
        assert (await engine.alerts.get("acme", alert.id)).active
        holder = (await engine.organization(engine.config.alerts.organization).applications.list()).data[0]
        organization = engine.organization(engine.config.alerts.organization)
        page = await organization.attempts.list_by_endpoint(holder.id, alert.id)
        assert page.data == []


async def test_an_address_that_is_refused_is_a_failed_attempt_with_the_server_s_words(tmp_path: Path) -> None:
    async with (
        Mailbox() as mailbox,
        local_engine(tmp_path / "e.db", retry_schedule=[], alerts__digest="0s", **mailbox.settings) as engine,
    ):
        await engine.applications.create(name="Acme", uid="acme")
        alert = await engine.alerts.create("acme", kind="email", to=ADDRESS)
        mailbox.refuse = "550 no such user here"
        await engine.alerts.test("acme", alert.id)
        await engine.join(timeout=10)
        organization = engine.organization(engine.config.alerts.organization)
        holder = (await organization.applications.list()).data[0]
        [attempt] = (await organization.attempts.list_by_endpoint(holder.id, alert.id)).data
        assert (attempt.response_status_code, attempt.response) == (550, "no such user here")


async def test_what_happens_within_a_short_time_is_one_letter(tmp_path: Path) -> None:
    async with (
        Mailbox() as mailbox,
        Receiver(410) as receiver,
        local_engine(tmp_path / "e.db", retry_schedule=[], alerts__digest="300ms", **mailbox.settings) as engine,
    ):
        for _ in range(5):
            await acme(engine, receiver.url)
        await engine.alerts.create("acme", kind="email", to=ADDRESS)
        await send(engine)
        [letter] = await until(lambda: mailbox.to(ADDRESS))
        assert letter["subject"] == "5 notices about webhook endpoints"
        assert letter.get_content().count("* ") == 5


async def test_a_chat_gets_what_it_can_show(tmp_path: Path) -> None:
    async with (
        Receiver() as chat,
        Receiver(410) as receiver,
        local_engine(tmp_path / "e.db", retry_schedule=[]) as engine,
    ):
        endpoint = await acme(engine, receiver.url)
        await engine.alerts.create("acme", kind="slack", to=chat.url)
        await send(engine)
        await engine.join(timeout=10)
        [request] = chat.requests
        shown = json.loads(request.body)
        assert "endpoint.disabled" in shown["text"]
        assert endpoint.id in json.dumps(shown["blocks"])
