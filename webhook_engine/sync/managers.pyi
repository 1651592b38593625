"""The types of the managers without ``await``. Made by tests/sync/managers_stub.py; do not edit."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Unpack

from msgspec import UnsetType

from webhook_engine.model import (
    Alert,
    Application,
    Attempt,
    AttemptedDestination,
    AttemptedMessage,
    AttemptStatus,
    AuthenticationTrial,
    Endpoint,
    EndpointHeaders,
    EndpointOrder,
    EndpointStats,
    EndpointTransformation,
    EventType,
    Message,
    Page,
    Task,
    TaskStatus,
    TransformationTrial,
    UnsentDestination,
)
from webhook_engine.resources.diagnosis import Diagnosis
from webhook_engine.resources.endpoint_secrets import ReplacedSecret
from webhook_engine.resources.imported import ImportedBatch, ImportOutcome
from webhook_engine.resources.message_search import SearchPage
from webhook_engine.resources.messages import SharedFields
from webhook_engine.resources.organization import Organization
from webhook_engine.resources.pagination import Order
from webhook_engine.rules.encoding import Default
from webhook_engine.rules.endpoint_options import OptionValues
from webhook_engine.rules.payload import Payload
from webhook_engine.sync.background import BackgroundLoop

__all__ = ["SyncManagers"]

class Applications:
    def create(
        self,
        *,
        name: str,
        uid: str | None = ...,
        throttle_rate: int | None = ...,
        metadata: Mapping[str, str] | None = ...,
    ) -> Application: ...
    def delete(self, application: str) -> None: ...
    def get(self, application: str) -> Application: ...
    def get_or_create(
        self,
        *,
        name: str,
        uid: str | None = ...,
        throttle_rate: int | None = ...,
        metadata: Mapping[str, str] | None = ...,
    ) -> Application: ...
    def iterate(self) -> Iterator[Application]: ...
    def list(
        self,
        *,
        limit: int = ...,
        iterator: str | None = ...,
        order: Order = ...,
        without_endpoints: bool = ...,
        with_disabled_endpoints: bool = ...,
        no_endpoint_at: Sequence[str] = ...,
    ) -> Page[Application]: ...
    def update(
        self,
        application: str,
        *,
        name: str | UnsetType = ...,
        uid: str | UnsetType | None = ...,
        throttle_rate: int | UnsetType | None = ...,
        metadata: Mapping[str, str] | UnsetType | None = ...,
    ) -> Application: ...

class Endpoints:
    def bulk_replay(
        self,
        application: str,
        endpoint: str,
        since: datetime,
        until: datetime | None = ...,
        *,
        event_types: Collection[str] | None = ...,
        channel: str | None = ...,
        tag: str | None = ...,
        status: AttemptStatus | int | None = ...,
        status_code_class: int | None = ...,
    ) -> Task: ...
    def cancel_pending(self, application: str, endpoint: str, created_before: datetime | None = ...) -> int: ...
    def create(
        self,
        application: str,
        *,
        url: str,
        description: str = ...,
        uid: str | None = ...,
        event_types: Collection[str] | None = ...,
        channels: Collection[str] | None = ...,
        throttle_rate: int | None = ...,
        version: int = ...,
        disabled: bool = ...,
        secret: str | None = ...,
        headers: Mapping[str, str] | None = ...,
        metadata: Mapping[str, str] | None = ...,
        **options: Unpack[OptionValues],
    ) -> Endpoint: ...
    def delete(self, application: str, endpoint: str) -> None: ...
    def diagnose(self, application: str, endpoint: str, headers: str, body: bytes) -> Diagnosis: ...
    def disable(self, application: str, endpoint: str) -> Endpoint: ...
    def enable(self, application: str, endpoint: str) -> Endpoint: ...
    def get(self, application: str, endpoint: str) -> Endpoint: ...
    def get_headers(self, application: str, endpoint: str) -> EndpointHeaders: ...
    def get_secret(self, application: str, endpoint: str) -> str: ...
    def get_transformation(self, application: str, endpoint: str) -> EndpointTransformation: ...
    def iterate(self, application: str) -> Iterator[Endpoint]: ...
    def list(
        self, application: str, *, limit: int = ..., iterator: str | None = ..., order: Order = ...
    ) -> Page[Endpoint]: ...
    def orders(
        self, application: str, endpoint: str, *, after: str | None = ..., limit: int = ...
    ) -> Sequence[EndpointOrder]: ...
    def patch_headers(self, application: str, endpoint: str, changes: Mapping[str, str | None]) -> None: ...
    def patch_transformation(
        self,
        application: str,
        endpoint: str,
        *,
        code: str | UnsetType | None = ...,
        enabled: bool | UnsetType = ...,
        variables: Mapping[str, str] | UnsetType | None = ...,
    ) -> EndpointTransformation: ...
    def recover(self, application: str, endpoint: str, since: datetime, until: datetime | None = ...) -> Task: ...
    def replaced_secrets(self, application: str, endpoint: str) -> Sequence[ReplacedSecret]: ...
    def replay_missing(
        self, application: str, endpoint: str, since: datetime, until: datetime | None = ...
    ) -> Task: ...
    def rotate_secret(
        self, application: str, endpoint: str, secret: str | None = ..., grace_period: timedelta = ...
    ) -> str: ...
    def send_example(
        self,
        application: str,
        endpoint: str | None,
        event_type: str,
        *,
        example_index: int = ...,
        payload: object = ...,
    ) -> Message: ...
    def set_headers(self, application: str, endpoint: str, headers: Mapping[str, str]) -> None: ...
    def simulate_transformation(
        self,
        application: str,
        endpoint: str,
        *,
        code: str,
        payload: Payload,
        event_type: str,
        variables: Mapping[str, str] | None = ...,
    ) -> TransformationTrial: ...
    def skip(self, application: str, endpoint: str, message: str) -> None: ...
    def stats(
        self, application: str, endpoint: str, since: datetime | None = ..., until: datetime | None = ...
    ) -> EndpointStats: ...
    def try_authentication(self, application: str, endpoint: str) -> AuthenticationTrial: ...
    def update(
        self,
        application: str,
        endpoint: str,
        *,
        url: str | UnsetType = ...,
        description: str | UnsetType = ...,
        uid: str | UnsetType | None = ...,
        event_types: Collection[str] | UnsetType | None = ...,
        channels: Collection[str] | UnsetType | None = ...,
        throttle_rate: int | UnsetType | None = ...,
        version: int | UnsetType = ...,
        disabled: bool | UnsetType = ...,
        metadata: Mapping[str, str] | UnsetType | None = ...,
        **options: Unpack[OptionValues],
    ) -> Endpoint: ...

class EventTypes:
    def create(
        self,
        *,
        name: str,
        description: str = ...,
        archived: bool = ...,
        deprecated: bool = ...,
        schemas: Mapping[str, object] | None = ...,
        feature_flags: Collection[str] = ...,
        group_name: str | None = ...,
    ) -> EventType: ...
    def delete(self, name: str, *, expunge: bool = ...) -> None: ...
    def get(self, name: str, *, feature_flags: Collection[str] | None = ...) -> EventType: ...
    def iterate(
        self, *, include_archived: bool = ..., feature_flags: Collection[str] | None = ...
    ) -> Iterator[EventType]: ...
    def list(
        self,
        *,
        limit: int = ...,
        iterator: str | None = ...,
        include_archived: bool = ...,
        with_content: bool = ...,
        feature_flags: Collection[str] | None = ...,
    ) -> Page[EventType]: ...
    def sync(self, events: Iterable[type], *, allow_breaking: bool = ...) -> Sequence[EventType]: ...
    def update(
        self,
        name: str,
        *,
        description: str | UnsetType = ...,
        archived: bool | UnsetType = ...,
        deprecated: bool | UnsetType = ...,
        schemas: Mapping[str, object] | UnsetType | None = ...,
        feature_flags: Collection[str] | UnsetType = ...,
        group_name: str | UnsetType | None = ...,
    ) -> EventType: ...

class Messages:
    def cancel(self, application: str, message: str) -> int: ...
    def consumer_poll(
        self,
        application: str,
        sink: str,
        consumer: str,
        *,
        limit: int = ...,
        iterator: str | None = ...,
        event_type: str | None = ...,
        channel: str | None = ...,
    ) -> tuple[Sequence[Message], str, bool]: ...
    def consumer_seek(self, application: str, sink: str, consumer: str, *, after: datetime) -> str: ...
    def create(
        self,
        application: str,
        event: object | None = ...,
        *,
        event_type: str | None = ...,
        payload: Payload | None = ...,
        event_id: str | None = ...,
        channels: Collection[str] | None = ...,
        tags: Collection[str] | None = ...,
        deliver_at: datetime | None = ...,
        payload_retention_period: int | None = ...,
        payload_retention_hours: int | None = ...,
        content_type: str | None = ...,
        default: Default | None = ...,
        ordering_key: str | None = ...,
    ) -> Message: ...
    def create_many(
        self, application: str, events: Iterable[object], **shared: Unpack[SharedFields]
    ) -> Sequence[Message]: ...
    def expunge_all_contents(self, application: str) -> Task: ...
    def expunge_content(self, application: str, message: str) -> None: ...
    def expunge_contents(self, application: str, messages: Collection[str]) -> dict[str, bool]: ...
    def get(self, application: str, message: str, *, with_content: bool = ...) -> Message: ...
    def iterate(
        self,
        application: str,
        *,
        before: datetime | None = ...,
        after: datetime | None = ...,
        event_types: Collection[str] | None = ...,
        channel: str | None = ...,
        tag: str | None = ...,
        with_content: bool = ...,
    ) -> Iterator[Message]: ...
    def list(
        self,
        application: str,
        *,
        limit: int = ...,
        iterator: str | None = ...,
        before: datetime | None = ...,
        after: datetime | None = ...,
        event_types: Collection[str] | None = ...,
        channel: str | None = ...,
        tag: str | None = ...,
        with_content: bool = ...,
    ) -> Page[Message]: ...
    def poll(
        self,
        application: str,
        *,
        limit: int = ...,
        iterator: str | None = ...,
        after: datetime | None = ...,
        event_type: str | None = ...,
        channel: str | None = ...,
    ) -> tuple[Sequence[Message], str, bool]: ...
    def search(
        self,
        application: str,
        text: str | None = ...,
        *,
        status: AttemptStatus | int | None = ...,
        endpoint: str | None = ...,
        event_types: Collection[str] | None = ...,
        status_codes: tuple[int, int] | None = ...,
        failure: str | None = ...,
        limit: int = ...,
        iterator: str | None = ...,
        before: datetime | None = ...,
        after: datetime | None = ...,
    ) -> SearchPage: ...

class Alerts:
    def create(
        self, application: str, *, kind: str, to: str, events: Collection[str] | None = ..., confirmed: bool = ...
    ) -> Alert: ...
    def delete(self, application: str, alert: str) -> None: ...
    def get(self, application: str, alert: str) -> Alert: ...
    def get_secret(self, application: str, alert: str) -> str: ...
    def list(self, application: str) -> Sequence[Alert]: ...
    def test(self, application: str, alert: str) -> Message: ...
    def update(self, application: str, alert: str, *, events: Collection[str] | UnsetType | None = ...) -> Alert: ...

class Attempts:
    def expunge_content(self, application: str, message: str, attempt_id: str) -> None: ...
    def get(self, application: str, message: str, attempt_id: str) -> Attempt: ...
    def iterate_by_endpoint(
        self, application: str, endpoint: str, *, before: datetime | None = ..., after: datetime | None = ...
    ) -> Iterator[Attempt]: ...
    def iterate_by_message(self, application: str, message: str) -> Iterator[Attempt]: ...
    def list_attempted_destinations(
        self, application: str, message: str, *, limit: int = ..., iterator: str | None = ...
    ) -> Page[AttemptedDestination]: ...
    def list_attempted_messages(
        self,
        application: str,
        endpoint: str,
        *,
        limit: int = ...,
        iterator: str | None = ...,
        before: datetime | None = ...,
        after: datetime | None = ...,
        status: AttemptStatus | int | None = ...,
        event_types: Collection[str] | None = ...,
        channel: str | None = ...,
        tag: str | None = ...,
        with_content: bool = ...,
    ) -> Page[AttemptedMessage]: ...
    def list_by_endpoint(
        self,
        application: str,
        endpoint: str,
        *,
        limit: int = ...,
        iterator: str | None = ...,
        before: datetime | None = ...,
        after: datetime | None = ...,
        status: AttemptStatus | int | None = ...,
        status_code_class: int | None = ...,
        event_types: Collection[str] | None = ...,
        channel: str | None = ...,
        tag: str | None = ...,
    ) -> Page[Attempt]: ...
    def list_by_message(
        self,
        application: str,
        message: str,
        *,
        limit: int = ...,
        iterator: str | None = ...,
        before: datetime | None = ...,
        after: datetime | None = ...,
        endpoint: str | None = ...,
        status: AttemptStatus | int | None = ...,
        status_code_class: int | None = ...,
        event_types: Collection[str] | None = ...,
        channel: str | None = ...,
        tag: str | None = ...,
    ) -> Page[Attempt]: ...
    def list_unsent_destinations(self, application: str, message: str) -> Sequence[UnsentDestination]: ...
    def resend(self, application: str, message: str, endpoint: str) -> None: ...

class Tasks:
    def cancel(self, task_id: str, *, application: str | None = ...) -> Task: ...
    def count_usage(
        self, since: datetime, until: datetime, applications: Collection[str] | None = ...
    ) -> tuple[Task, Sequence[str]]: ...
    def get(self, task_id: str, *, application: str | None = ...) -> Task: ...
    def iterate(
        self, *, status: TaskStatus | str | None = ..., task: str | None = ..., application: str | None = ...
    ) -> Iterator[Task]: ...
    def list(
        self,
        *,
        limit: int = ...,
        iterator: str | None = ...,
        order: Order = ...,
        status: TaskStatus | str | None = ...,
        task: str | None = ...,
        application: str | None = ...,
    ) -> Page[Task]: ...
    def list_used_event_types(self) -> Task: ...
    def pause(self, task_id: str, *, application: str | None = ...) -> Task: ...
    def resume(self, task_id: str, *, application: str | None = ...) -> Task: ...
    def wait(self, task_id: str, timeout: float | None = ...) -> Task: ...

class Imports:
    def take(self, batch: ImportedBatch, *, dry_run: bool = ..., update: bool = ...) -> Sequence[ImportOutcome]: ...

class Portal:
    def url(
        self,
        application: str,
        *,
        expiry: timedelta | None = ...,
        feature_flags: Collection[str] = ...,
        read_only: bool = ...,
    ) -> str: ...

class SyncManagers:
    id: str
    applications: Applications
    endpoints: Endpoints
    event_types: EventTypes
    messages: Messages
    alerts: Alerts
    attempts: Attempts
    tasks: Tasks
    imports: Imports
    portal: Portal
    def __init__(self, organization: Organization, background: BackgroundLoop) -> None: ...

def managers_of(organization: Organization) -> dict[str, object]: ...
def public_methods(kind: type[object]) -> dict[str, Callable[..., Any]]: ...
