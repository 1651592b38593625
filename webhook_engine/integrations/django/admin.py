"""The admin: read-only pages for the engine's messages, endpoints and attempts, with resend and recover as actions.

The records are not in Django's database. Each page makes one or two requests to the engine, for one page of a list;
nothing is counted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.timezone import localtime

from webhook_engine.errors import NotFoundError, WebhookEngineError
from webhook_engine.integrations.django.engine_records import (
    ApplicationRow,
    AttemptRow,
    EndpointRow,
    EngineRecords,
    EngineUnreachableError,
    Rows,
)
from webhook_engine.integrations.django.host_engine import engine_records
from webhook_engine.integrations.django.models import Attempt, Endpoint, Message, OutboxMessage
from webhook_engine.model import AttemptStatus

__all__ = ["AttemptAdmin", "EndpointAdmin", "MessageAdmin", "OutboxMessageAdmin"]

TEMPLATES = "webhook_engine/admin"
STATES = {status.name.lower(): status for status in AttemptStatus}
SPANS = {
    "1 hour": timedelta(hours=1),
    "1 day": timedelta(days=1),
    "7 days": timedelta(days=7),
    "14 days": timedelta(days=14),
}

View = Callable[..., HttpResponse]


class Cell(NamedTuple):
    """A table cell: its text, and its link."""

    text: object
    link: str = ""


class Row(NamedTuple):
    """A row of a table; ``key`` identifies it for actions."""

    key: str
    cells: Sequence[Cell]


class Table(NamedTuple):
    """A table on a page."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Row]


class RecoverForm(forms.Form):
    """The start time for recover."""

    since = forms.DateTimeField(
        label="Since",
        help_text="Everything that failed since then is sent again, in your time zone as in the settings.",
    )


def says_what_is_wrong(view: View) -> View:
    """Turn ``NotFoundError`` into a 404, and other errors of the engine into a page with the problem."""

    @functools.wraps(view)
    def guarded(self: EngineAdmin, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(self, request, *args, **kwargs)
        except NotFoundError as error:
            raise Http404(str(error)) from error
        except WebhookEngineError as error:
            return self.page(request, "problem.html", "The engine cannot be asked", {"problem": str(error)}, status=503)

    return guarded


class EngineAdmin(admin.ModelAdmin):
    """Base of the admin pages: read-only, with data from the engine."""

    @property
    def meta(self) -> Any:
        """The model's metadata: the documented ``_meta`` of Django."""
        return self.model._meta  # noqa: SLF001

    def has_add_permission(self, request: HttpRequest) -> bool:
        """No one may add."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """No one may change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """No one may delete."""
        return False

    def require(self, request: HttpRequest, permission: str) -> None:
        """Raise ``PermissionDenied`` unless the user has this permission of the app."""
        if not request.user.has_perm(f"webhook_engine.{permission}"):
            raise PermissionDenied

    def page(
        self, request: HttpRequest, template: str, title: str, context: dict[str, Any], status: int = 200
    ) -> HttpResponse:
        """Render a template within the admin."""
        return TemplateResponse(
            request,
            f"{TEMPLATES}/{template}",
            {
                **self.admin_site.each_context(request),
                "title": title,
                "opts": self.meta,
                "list_url": self.url("changelist"),
                "list_name": str(self.meta.verbose_name_plural).capitalize(),
                **context,
            },
            status=status,
        )

    def url(self, view: str, *args: str, model: str = "", **query: str) -> str:
        """The URL of a view of this model, or of another one of the app."""
        name = f"{self.admin_site.name}:webhook_engine_{model or self.meta.model_name}_{view}"
        return str(reverse(name, args=args)) + (f"?{urlencode(query)}" if query else "")

    def choose_application(self, request: HttpRequest, engine: EngineRecords) -> HttpResponse:
        """Let the user choose an application, whose records are then listed."""
        found = engine.applications(request.GET.get("iterator"))
        rows = [
            Row(each.id, (Cell(each.label, self.url("changelist", application=each.id)), Cell(each.id)))
            for each in found.data
        ]
        return self.list_page(
            request,
            f"Select an application to see its {self.meta.verbose_name_plural}",
            Table("", ("Application", "Id"), rows),
            found,
        )

    def list_page(
        self, request: HttpRequest, title: str, table: Table, found: Rows[Any], context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Render a page of a list, with links to the previous and the next one."""
        return self.page(
            request,
            "list.html",
            title,
            {
                "table": table,
                "next": None if found.done else _turned(request, found.iterator),
                "previous": _turned(request, found.prev_iterator) if request.GET.get("iterator") else None,
                "first": _turned(request, None) if request.GET.get("iterator") else None,
                **(context or {}),
            },
        )

    def record(self, object_id: str) -> tuple[str, str]:
        """Decode the ids of the application and the record from a URL; raises ``NotFoundError``."""
        parts = object_id.split("-")
        if len(parts) != 2:
            raise NotFoundError(str(self.meta.verbose_name), object_id)
        return _id(parts[0]), _id(parts[1])

    def note(self, request: HttpRequest, key: str, label: str, what: str) -> None:
        """Add an entry to the admin's history."""
        LogEntry.objects.create(
            user_id=request.user.pk,
            content_type_id=ContentType.objects.get_for_model(self.model, for_concrete_model=False).pk,
            object_id=key,
            object_repr=label[:200],
            action_flag=CHANGE,
            change_message=what,
        )


@admin.register(Message)
class MessageAdmin(EngineAdmin):
    """Messages, listed by application, endpoint and state; one message with its deliveries and attempts."""

    @says_what_is_wrong
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list, and run its action."""
        self.require(request, "view_message")
        engine = engine_records()
        if request.method == "POST":
            return self._resend_selected(request, engine)
        if not (key := request.GET.get("application")):
            return self.choose_application(request, engine)
        application = engine.application(key)
        endpoint, types, state = request.GET.get("endpoint", ""), _words(request, "event_type"), _state(request)
        iterator = request.GET.get("iterator")
        found = (
            engine.messages_of_endpoint(application.id, endpoint, iterator, types, state)
            if endpoint
            else engine.messages(application.id, iterator, types)
        )
        rows = [
            Row(
                _key(application.id, each.id),
                (
                    Cell(each.id, self.url("change", _key(application.id, each.id))),
                    Cell(each.event_type),
                    Cell(each.event_id or ""),
                    Cell(_when(each.timestamp)),
                    *((Cell(each.status_text),) if endpoint else ()),
                ),
            )
            for each in found.data
        ]
        heads = ("Message", "Event type", "Event id", "Created", *(("State",) if endpoint else ()))
        return self.list_page(
            request,
            f"Messages of {application.label}",
            Table("", heads, rows),
            found,
            {
                **self._filters(request, engine, application, state_needs_endpoint=True),
                "action": "Send again where it failed" if self._may_resend(request) else "",
                "action_name": "resend",
            },
        )

    @says_what_is_wrong
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one message."""
        self.require(request, "view_message")
        engine = engine_records()
        app, key = self.record(object_id)
        if request.method == "POST":
            self.require(request, "resend_message")
            _told(request, [self._resend(request, engine, app, key, [request.POST.get("endpoint", "")])])
            return HttpResponseRedirect(request.get_full_path())
        message, payload = engine.message(app, key)
        application = engine.application(app)
        destinations = engine.destinations(app, message.id)
        attempts = engine.attempts_of_message(app, message.id, request.GET.get("iterator"))
        fields: list[tuple[str, object]] = [
            ("Id", message.id),
            ("Application", application.label),
            ("Event type", message.event_type),
            ("Event id", message.event_id or "-"),
            ("Created", _when(message.timestamp)),
            ("Channels", ", ".join(message.channels or ()) or "-"),
            ("Tags", ", ".join(message.tags or ()) or "-"),
        ]
        deliveries = [
            Row(
                each.id,
                (
                    Cell(each.url, self.url("change", _key(app, each.id), model="endpoint")),
                    Cell(each.status_text),
                    Cell(each.attempt_count),
                    Cell(_when(each.next_attempt)),
                ),
            )
            for each in destinations.data
        ]
        return self.page(
            request,
            "record.html",
            message.id,
            {
                "fields": fields,
                "text": payload,
                "text_label": "Payload",
                "tables": [
                    (
                        Table("Deliveries", ("Endpoint", "State", "Attempts", "Next attempt"), deliveries),
                        self._may_resend(request),
                    ),
                    (self.attempts_table(app, attempts.data), False),
                ],
                "next": None if attempts.done else _turned(request, attempts.iterator),
            },
        )

    def attempts_table(self, app: str, attempts: Iterable[AttemptRow]) -> Table:
        """A table of the message's attempts."""
        rows = [
            Row(
                each.id,
                (
                    Cell(_when(each.timestamp), self.url("change", _attempt_key(app, each), model="attempt")),
                    Cell(each.url),
                    Cell(each.status_text),
                    Cell(each.response_status_code or "-"),
                    Cell(f"{each.response_duration_ms} ms"),
                ),
            )
            for each in attempts
        ]
        return Table("Attempts", ("Time", "URL", "State", "Response", "Took"), rows)

    def _filters(
        self, request: HttpRequest, engine: EngineRecords, application: ApplicationRow, *, state_needs_endpoint: bool
    ) -> dict[str, Any]:
        return _filters(request, engine, application, self.url("changelist"), state_needs_endpoint=state_needs_endpoint)

    def _may_resend(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("webhook_engine.resend_message"))

    def _resend_selected(self, request: HttpRequest, engine: EngineRecords) -> HttpResponse:
        self.require(request, "resend_message")
        only = request.GET.get("endpoint")
        done = []
        for key in request.POST.getlist("selected"):
            app, message = self.record(key)
            failed = (
                [only]
                if only
                else [
                    each.id
                    for each in engine.destinations(app, message).data
                    if each.status_text == AttemptStatus.FAIL.name.lower()
                ]
            )
            done.append(self._resend(request, engine, app, message, failed))
        _told(request, done)
        return HttpResponseRedirect(request.get_full_path())

    def _resend(
        self, request: HttpRequest, engine: EngineRecords, app: str, message: str, endpoints: Sequence[str]
    ) -> tuple[str, int, str]:
        """Resend a message to endpoints; returns its id, the number of endpoints it was sent to, and any error."""
        sent = 0
        for endpoint in endpoints:
            try:
                engine.resend(app, message, endpoint)
            except EngineUnreachableError:
                raise
            except WebhookEngineError as error:
                return message, sent, str(error)
            sent += 1
            self.note(request, _key(app, message), message, f"Sent again to {endpoint}.")
        return message, sent, ""


@admin.register(Endpoint)
class EndpointAdmin(EngineAdmin):
    """Endpoints of an application, and recovering their failed deliveries."""

    @says_what_is_wrong
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list."""
        self.require(request, "view_endpoint")
        engine = engine_records()
        if request.method == "POST":
            return self._recover(request, engine, request.POST.getlist("selected"))
        if not (key := request.GET.get("application")):
            return self.choose_application(request, engine)
        application = engine.application(key)
        found = engine.endpoints(application.id, request.GET.get("iterator"))
        state = request.GET.get("state", "")
        shown = [each for each in found.data if state in ("", _endpoint_state(each))]
        rows = [
            Row(
                _key(application.id, each.id),
                (
                    Cell(each.url, self.url("change", _key(application.id, each.id))),
                    Cell(each.uid or each.id),
                    Cell(_endpoint_state(each)),
                    Cell(", ".join(each.event_types) if each.event_types is not None else "all"),
                    Cell(_when(each.created_at)),
                ),
            )
            for each in shown
        ]
        return self.list_page(
            request,
            f"Endpoints of {application.label}",
            Table("", ("URL", "Id or uid", "State", "Event types", "Created"), rows),
            found,
            {
                "filters": [
                    {
                        "name": "state",
                        "label": "State",
                        "value": state,
                        "choices": [("", "All"), *((each, each) for each in ("enabled", "failing", "disabled"))],
                    }
                ],
                "application": application,
                "action": "Recover failed messages" if self._may_recover(request) else "",
                "action_name": "recover",
            },
        )

    @says_what_is_wrong
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one endpoint."""
        self.require(request, "view_endpoint")
        engine = engine_records()
        app, key = self.record(object_id)
        if request.method == "POST":
            return self._recover(request, engine, [object_id])
        endpoint, application = engine.endpoint(app, key), engine.application(app)
        fields: list[tuple[str, object]] = [
            ("Id", endpoint.id),
            ("Uid", endpoint.uid or "-"),
            ("Application", application.label),
            ("URL", endpoint.url),
            ("Description", endpoint.description or "-"),
            ("State", _endpoint_state(endpoint)),
            ("Disabled because", endpoint.disabled_reason or "-"),
            ("Failing since", _when(endpoint.first_failure_at) or "-"),
            ("Event types", ", ".join(endpoint.event_types) if endpoint.event_types is not None else "all"),
            ("Channels", ", ".join(endpoint.channels or ()) or "all"),
            ("Messages per second", endpoint.throttle_rate or "unlimited"),
            ("Created", _when(endpoint.created_at)),
        ]
        links = [
            ("Messages", self.url("changelist", model="message", application=app, endpoint=endpoint.id)),
            ("Attempts", self.url("changelist", model="attempt", application=app, endpoint=endpoint.id)),
        ]
        return self.page(
            request,
            "record.html",
            endpoint.url,
            {
                "fields": fields,
                "links": links,
                "button": "Recover failed messages…" if self._may_recover(request) else "",
            },
        )

    def _may_recover(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("webhook_engine.recover_endpoint"))

    def _recover(self, request: HttpRequest, engine: EngineRecords, keys: Sequence[str]) -> HttpResponse:
        """Ask for the start time, and then recover."""
        self.require(request, "recover_endpoint")
        chosen = [(key, app, engine.endpoint(app, name)) for key in keys for app, name in (self.record(key),)]
        if not chosen:
            messages.warning(request, "No endpoint was selected.")
            return HttpResponseRedirect(request.get_full_path())
        asked = "since" in request.POST
        start = datetime.now(UTC) - timedelta(days=1)
        form = RecoverForm(request.POST) if asked else RecoverForm(initial={"since": start})
        if not asked or not form.is_valid():
            context = {"form": form, "chosen": [(key, endpoint.url) for key, _, endpoint in chosen]}
            return self.page(request, "recover.html", "Recover failed messages", context)
        since = form.cleaned_data["since"]
        since = since if since.tzinfo is not None else since.astimezone()
        for key, app, endpoint in chosen:
            try:
                task = engine.recover(app, endpoint.id, since)
            except WebhookEngineError as error:
                messages.error(request, f"{endpoint.url}: {error}")
                continue
            self.note(request, key, endpoint.url, f"Recovery of what failed since {since.isoformat()}: {task}.")
            messages.success(
                request, f"{endpoint.url}: what failed since {since:%Y-%m-%d %H:%M} is sent again ({task})."
            )
        return HttpResponseRedirect(request.get_full_path())


@admin.register(Attempt)
class AttemptAdmin(EngineAdmin):
    """Attempts of an endpoint, and resending their messages."""

    @says_what_is_wrong
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list."""
        self.require(request, "view_attempt")
        engine = engine_records()
        if request.method == "POST":
            return self._resend_selected(request, engine)
        if not (key := request.GET.get("application")):
            return self.choose_application(request, engine)
        application = engine.application(key)
        filters = _filters(request, engine, application, self.url("changelist"), state_needs_endpoint=False)
        endpoint = request.GET.get("endpoint", "")
        if not endpoint:
            found = engine.endpoints(application.id, request.GET.get("iterator"))
            endpoints = [
                Row(
                    each.id,
                    (
                        Cell(each.url, self.url("changelist", application=application.id, endpoint=each.id)),
                        Cell(each.id),
                    ),
                )
                for each in found.data
            ]
            title = f"Select an endpoint of {application.label} to see its attempts"
            return self.list_page(request, title, Table("", ("Endpoint", "Id"), endpoints), found)
        attempts = engine.attempts_of_endpoint(
            application.id, endpoint, request.GET.get("iterator"), _words(request, "event_type"), _state(request)
        )
        rows = [
            Row(
                _attempt_key(application.id, each),
                (
                    Cell(_when(each.timestamp), self.url("change", _attempt_key(application.id, each))),
                    Cell(each.msg_id, self.url("change", _key(application.id, each.msg_id), model="message")),
                    Cell(each.status_text),
                    Cell(each.response_status_code or "-"),
                    Cell(f"{each.response_duration_ms} ms"),
                ),
            )
            for each in attempts.data
        ]
        may = request.user.has_perm("webhook_engine.resend_message")
        return self.list_page(
            request,
            f"Attempts of {application.label}",
            Table("", ("Time", "Message", "State", "Response", "Took"), rows),
            attempts,
            {**filters, "action": "Send again" if may else "", "action_name": "resend"},
        )

    @says_what_is_wrong
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one attempt."""
        self.require(request, "view_attempt")
        engine = engine_records()
        app, message, key = self._ids(object_id)
        attempt = engine.attempt(app, message, key)
        fields: list[tuple[str, object]] = [
            ("Id", attempt.id),
            ("Message", attempt.msg_id),
            ("Endpoint", attempt.endpoint_id),
            ("URL", attempt.url),
            ("Time", _when(attempt.timestamp)),
            ("State", attempt.status_text),
            ("Response", attempt.response_status_code or "none"),
            ("Took", f"{attempt.response_duration_ms} ms"),
            ("Because", "somebody asked for it" if attempt.trigger_type else "it was due"),
        ]
        links = [
            ("Message", self.url("change", _key(app, attempt.msg_id), model="message")),
            ("Endpoint", self.url("change", _key(app, attempt.endpoint_id), model="endpoint")),
        ]
        context = {"fields": fields, "links": links, "text": attempt.response, "text_label": "Response body"}
        return self.page(request, "record.html", attempt.id, context)

    def _ids(self, object_id: str) -> tuple[str, str, str]:
        parts = object_id.split("-")
        if len(parts) != 3:
            raise NotFoundError("attempt", object_id)
        return _id(parts[0]), _id(parts[1]), _id(parts[2])

    def _resend_selected(self, request: HttpRequest, engine: EngineRecords) -> HttpResponse:
        self.require(request, "resend_message")
        done = []
        for chosen in request.POST.getlist("selected"):
            app, message, key = self._ids(chosen)
            attempt = engine.attempt(app, message, key)
            try:
                engine.resend(app, message, attempt.endpoint_id)
            except EngineUnreachableError:
                raise
            except WebhookEngineError as error:
                done.append((message, 0, str(error)))
                continue
            self.note(request, chosen, attempt.id, f"Sent {message} again to {attempt.endpoint_id}.")
            done.append((message, 1, ""))
        _told(request, done)
        return HttpResponseRedirect(request.get_full_path())


@admin.register(OutboxMessage)
class OutboxMessageAdmin(admin.ModelAdmin):
    """The waiting rows in the outbox of the default database; a row that stays has an error."""

    list_display = ("id", "application", "event_type", "created_at", "error")
    list_filter = ("event_type",)
    search_fields = ("application", "event_type", "event_id", "message_id")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """No one may add."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """No one may change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """No one may delete."""
        return False


def _filters(
    request: HttpRequest, engine: EngineRecords, application: ApplicationRow, url: str, *, state_needs_endpoint: bool
) -> dict[str, Any]:
    """The filters of a list: endpoint, state and event type. The application is chosen separately."""
    endpoint, state = request.GET.get("endpoint", ""), request.GET.get("state", "")
    endpoints = [
        ("", "All" if state_needs_endpoint else "-"),
        *((each.id, each.url) for each in engine.endpoints(application.id, None).data),
    ]
    if endpoint and endpoint not in dict(endpoints):
        endpoints.append((endpoint, endpoint))
    filters = [{"name": "endpoint", "label": "Endpoint", "value": endpoint, "choices": endpoints}]
    if endpoint or not state_needs_endpoint:
        choices = [("", "All"), *((name, name) for name in STATES)]
        filters.append({"name": "state", "label": "State", "value": state, "choices": choices})
    return {
        "filters": filters,
        "texts": [{"name": "event_type", "label": "Event type", "value": request.GET.get("event_type", "")}],
        "application": application,
        "filter_url": url,
    }


def _told(request: HttpRequest, done: Sequence[tuple[str, int, str]]) -> None:
    """Report the results of resending."""
    sent = sum(count for _, count, _ in done)
    if sent:
        messages.success(request, f"{sent} sent again; the attempt follows at once.")
    for message, count, problem in done:
        if problem:
            messages.error(request, f"{message}: {problem}")
        elif not count:
            messages.warning(request, f"{message}: there is no endpoint that it failed at.")
    if not done:
        messages.warning(request, "Nothing was selected.")


def _key(application: str, record: str) -> str:
    """The key of a record in a URL, made of characters that the admin does not escape."""
    return f"{application}-{record}".replace("_", ".")


def _attempt_key(application: str, attempt: AttemptRow) -> str:
    return _key(application, f"{attempt.msg_id}-{attempt.id}")


def _id(text: str) -> str:
    return text.replace(".", "_")


def _when(time: datetime | None) -> str:
    """A time to the second, in the site's time zone."""
    return "" if time is None else f"{localtime(time):%Y-%m-%d %H:%M:%S}"


def _words(request: HttpRequest, name: str) -> list[str]:
    return [word for word in request.GET.get(name, "").replace(",", " ").split() if word]


def _state(request: HttpRequest) -> int | None:
    status = STATES.get(request.GET.get("state", ""))
    return None if status is None else int(status)


def _endpoint_state(endpoint: EndpointRow) -> str:
    return "disabled" if endpoint.disabled else "failing" if endpoint.first_failure_at else "enabled"


def _turned(request: HttpRequest, iterator: str | None) -> str:
    query = request.GET.copy()
    query.pop("iterator", None)
    if iterator is not None:
        query["iterator"] = iterator
    return f"?{query.urlencode()}"
