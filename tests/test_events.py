import json
from datetime import UTC, datetime, timedelta

import pytest

from webhook_engine import events
from webhook_engine.events import (
    BackgroundTaskFinishedEvent,
    EndpointCreatedEvent,
    EndpointDisabledEvent,
    EndpointEvent,
    EndpointFailingEvent,
    LastAttempt,
    MessageAttemptEvent,
    MessageAttemptExhaustedEvent,
    MessageAttemptFailingEvent,
    MessageAttemptRecoveredEvent,
    OperationalEvent,
    rfc3339,
)

AT = datetime(2026, 8, 1, 12, 0, 0, 123_000, tzinfo=UTC)
COMMON = {"organization_id": "org_1", "application_id": "app_1", "application_uid": "acme", "timestamp": AT}
OF_ENDPOINT = {**COMMON, "endpoint_id": "ep_1", "endpoint_uid": None}
OF_MESSAGE = {
    **COMMON,
    "message_id": "msg_1",
    "message_event_id": "inv-1",
    "endpoint_id": "ep_1",
    "last_attempt": LastAttempt(id="atmpt_1", response_status_code=500, timestamp=AT),
}


def subclasses(kind: type[OperationalEvent]) -> list[type[OperationalEvent]]:
    return [kind, *(deeper for one in kind.__subclasses__() for deeper in subclasses(one))]


def test_every_kind_has_a_type_of_its_own_and_is_named_after_it() -> None:
    concrete = [kind for kind in subclasses(OperationalEvent) if kind.type]
    assert len({kind.type for kind in concrete}) == len(concrete) == 12
    for kind in concrete:
        words = kind.type.replace(".", "_").split("_")
        assert kind.__name__ == "".join(word.title() for word in words) + "Event"


def test_every_kind_is_public() -> None:
    assert {kind.__name__ for kind in subclasses(OperationalEvent)} <= set(events.__all__)


def test_an_endpoint_event_says_which_endpoint_of_which_application() -> None:
    event = EndpointCreatedEvent(**OF_ENDPOINT)
    assert isinstance(event, EndpointEvent)
    assert event.data() == {"appId": "app_1", "appUid": "acme", "endpointId": "ep_1", "endpointUid": None}


def test_a_failing_endpoint_is_reported_with_the_start_of_its_failures() -> None:
    event = EndpointFailingEvent(**OF_ENDPOINT, first_failure_at=AT)
    assert event.data()["failSince"] == "2026-08-01T12:00:00.123000Z"


def test_a_disabled_endpoint_is_reported_as_disabled_automatically() -> None:
    event = EndpointDisabledEvent(**OF_ENDPOINT, first_failure_at=AT, reason="gone")
    assert event.data() == {
        "appId": "app_1",
        "appUid": "acme",
        "endpointId": "ep_1",
        "endpointUid": None,
        "failSince": "2026-08-01T12:00:00.123000Z",
        "trigger": "automatic",
    }


@pytest.mark.parametrize(
    "kind", [MessageAttemptFailingEvent, MessageAttemptExhaustedEvent, MessageAttemptRecoveredEvent]
)
def test_a_message_event_carries_its_last_attempt(kind: type[MessageAttemptEvent]) -> None:
    assert kind(**OF_MESSAGE).data() == {
        "appId": "app_1",
        "appUid": "acme",
        "endpointId": "ep_1",
        "msgId": "msg_1",
        "msgEventId": "inv-1",
        "lastAttempt": {
            "id": "atmpt_1",
            "responseStatusCode": 500,
            "timestamp": "2026-08-01T12:00:00.123000Z",
        },
    }


def test_a_finished_task_is_reported_with_its_progress() -> None:
    event = BackgroundTaskFinishedEvent(
        **COMMON, task_id="qtask_1", task="endpoint.recover", status="finished", progress={"processed": 3}
    )
    assert event.data() == {
        "data": {"processed": 3},
        "status": "finished",
        "task": "endpoint.recover",
        "taskId": "qtask_1",
    }


@pytest.mark.parametrize("event", [EndpointCreatedEvent(**OF_ENDPOINT), MessageAttemptFailingEvent(**OF_MESSAGE)])
def test_the_data_of_an_event_is_plain_json(event: OperationalEvent) -> None:
    assert json.loads(json.dumps(event.data())) == event.data()


def test_an_event_cannot_be_changed_by_a_handler() -> None:
    event = EndpointCreatedEvent(**OF_ENDPOINT)
    with pytest.raises(AttributeError):
        event.endpoint_id = "ep_2"


def test_times_are_written_in_utc_with_a_z() -> None:
    assert rfc3339(datetime(2026, 8, 1, tzinfo=UTC)) == "2026-08-01T00:00:00Z"
    assert rfc3339(AT + timedelta(microseconds=1)) == "2026-08-01T12:00:00.123001Z"
