"""The table of settings: each attribute of a section has its kind, default and description.

Reading, checking, ``check-config`` and ``config.example.toml`` are derived from this table.
"""

# ruff: noqa: RUF009 (`setting` makes a dataclass field, as `dataclasses.field` does)

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar, get_args

from webhook_engine.config.values import (
    Kind,
    Network,
    Secret,
    boolean,
    ca_file,
    database_path,
    duration,
    https_url,
    integer,
    is_on_a_server,
    letter_template,
    list_of,
    listen_address,
    literal,
    matching,
    network,
    number,
    one_of,
    optional,
    parse_listen,
    proxy_url,
    public_key,
    public_url,
    secret,
    size,
    source_url,
    store_url,
    without_passwords,
)
from webhook_engine.errors import ConfigError

__all__ = [
    "SECTIONS",
    "AlertsConfig",
    "AuthConfig",
    "DeliveryConfig",
    "LogConfig",
    "OperationalConfig",
    "OutboxConfig",
    "PlayConfig",
    "PortalConfig",
    "RetentionConfig",
    "Section",
    "SecurityConfig",
    "ServerConfig",
    "Setting",
    "Sourced",
    "StoreConfig",
    "TracingConfig",
    "TransformationsConfig",
    "all_settings",
    "read_section",
    "sourced",
    "unknown_key",
]

T = TypeVar("T")

JwtAlgorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
LogFormat = Literal["console", "json"]

GENERATED = "generated once, into a file next to the database"


@dataclass(frozen=True)
class Setting:
    """The definition of a setting, besides its name and type."""

    kind: Kind[Any]
    description: str
    unset: str
    """The effective behaviour if the value is ``None``."""
    example: object
    """A value for the example file if the default is ``None``."""


def setting(kind: Kind[T], default: object, description: str, *, unset: str = "none", example: object = None) -> T:
    """One row of the table, as a dataclass field; ``default`` and ``example`` are as in TOML."""
    metadata = {"setting": Setting(kind, description, unset, example)}
    return field(default=kind.read(default), repr=not kind.hidden, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section of the configuration. Values may be given as in TOML or typed; invalid ones raise ``ConfigError``."""

    NAME: ClassVar[str]

    def __post_init__(self) -> None:
        values, problems = read_section(type(self), {key: getattr(self, key) for key in self.settings()})
        if problems:
            raise ConfigError("\n".join(problems))
        for key, value in values.items():
            object.__setattr__(self, key, value)

    @classmethod
    def settings(cls) -> dict[str, Setting]:
        """The settings of this section by their keys."""
        return {each.name: each.metadata["setting"] for each in fields(cls)}


@dataclass(frozen=True, kw_only=True)
class ServerConfig(Section):
    """The HTTP server of the daemon."""

    NAME = "server"

    listen: str = setting(listen_address(), "127.0.0.1:8071", "Address of the API, the portal and Play.")
    public_url: str | None = setting(
        optional(public_url()),
        None,
        "How browsers and consumers reach the server. It may have a path, behind a reverse proxy.",
        unset="from server.listen",
        example="https://example.com/webhooks",
    )
    trusted_proxies: tuple[Network, ...] = setting(
        list_of(network(), distinct=True), [], "Reverse proxies whose X-Forwarded-* headers are believed."
    )
    max_body: int = setting(size("1B", "1GiB"), "1MiB", "Larger requests are answered with 413.")
    max_connections: int = setting(
        integer(1, 100_000),
        4096,
        "Connections to the server at the same time; fewer where the process may have few open files, since deliveries "
        "need some too. Beyond that, those that are idle for longest are closed.",
    )
    api: bool = setting(boolean(), True, "Whether the API is served.")
    portal: bool = setting(boolean(), True, "Whether the consumers' portal is served.")
    play: bool = setting(boolean(), True, "Whether Play, the inbox for trying things out, is served.")
    metrics: bool = setting(boolean(), True, "Whether metrics are served.")
    strict_idempotency: bool = setting(
        boolean(),
        False,
        "Whether an idempotency key that comes again with another body is refused with 422. Otherwise it gets the "
        "first response, and the log warns of it.",
    )

    @property
    def listen_address(self) -> tuple[str, int] | Path:
        """The host and port, or the path of the Unix socket, to listen at."""
        return parse_listen(self.listen)

    def url(self, port: int | None = None) -> str | None:
        """The base URL of the server, without a trailing slash: ``public_url``, or derived from ``listen``.

        ``port`` is the actual port, if ``listen`` leaves the choice to the system. ``None`` means that no URL is known,
        because the server listens at a Unix socket.
        """
        if self.public_url or isinstance(self.listen_address, Path):
            return self.public_url
        return self.local_url(port)

    def local_url(self, port: int | None = None) -> str:
        """The base URL for programs on this machine, without a trailing slash; ``unix:`` and a path for a socket.

        ``port`` is as for :meth:`url`.
        """
        address = self.listen_address
        if isinstance(address, Path):
            return f"unix:{address}"
        # The "any" address is valid for listening, but not for connecting.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{port or address[1]}"


@dataclass(frozen=True, kw_only=True)
class StoreConfig(Section):
    """The database of the engine."""

    NAME = "store"

    url: str = setting(
        store_url(),
        "sqlite:///webhook-engine.db",
        "The SQLite file (sqlite:///x.db is relative to the working directory, sqlite:////var/x.db absolute), or a "
        "PostgreSQL database: postgresql://user@host/database, with parameters as libpq has them.",
    )
    schema: str | None = setting(
        optional(matching(r"[A-Za-z_][A-Za-z0-9_-]{0,62}", "a name of letters, digits, _ and -")),
        None,
        "The schema of the PostgreSQL database that the tables are in, made if it is not there. Without it they are in "
        "the first schema of the user's search_path.",
        example="webhooks",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.schema is not None and self.path is not None:
            raise ConfigError(
                f'store.schema = "{self.schema}": an SQLite file has no schemas; allowed is none here, and one '
                "where store.url is a PostgreSQL database"
            )

    @property
    def path(self) -> Path | None:
        """The database file; ``None`` for PostgreSQL."""
        return None if is_on_a_server(self.url) else database_path(self.url)

    @property
    def shown(self) -> str:
        """The database for logs and messages: its file, or its URL without secrets."""
        return str(self.path) if self.path is not None else without_passwords(self.url)

    @property
    def files(self) -> Path:
        """The path beside which generated secrets are kept: the database file, or one in the working directory."""
        return Path("webhook-engine.db") if self.path is None else self.path


@dataclass(frozen=True, kw_only=True)
class OutboxConfig(Section):
    """Where messages come from, besides the API."""

    NAME = "outbox"

    sources: tuple[str, ...] = setting(
        list_of(source_url(), at_most=100, distinct=True),
        [],
        "Further databases whose outbox table is watched: SQLite files, PostgreSQL and MySQL. That of the engine's own "
        "database always is.",
    )


@dataclass(frozen=True, kw_only=True)
class AuthConfig(Section):
    """API tokens."""

    NAME = "auth"

    jwt_secret: Secret | None = setting(
        secret(),
        None,
        "What API tokens are signed with, for the HS algorithms.",
        unset=GENERATED,
        example="a long random text",
    )
    jwt_algorithm: JwtAlgorithm = setting(
        one_of(*get_args(JwtAlgorithm)),
        "HS256",
        "Signature of API tokens. With another than the HS algorithms, tokens are made elsewhere and checked here with "
        "jwt_public_key.",
    )
    jwt_public_key: str | None = setting(
        optional(public_key()),
        None,
        "The key that checks API tokens, for all but the HS algorithms.",
        example="-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA…\n-----END PUBLIC KEY-----",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        symmetric = self.jwt_algorithm.startswith("HS")
        if symmetric and self.jwt_public_key:
            raise ConfigError(
                f'auth.jwt_algorithm = "{self.jwt_algorithm}": this does not go with auth.jwt_public_key; '
                'set the algorithm of that key, such as "RS256" or "EdDSA", or leave the key out'
            )
        if not symmetric and not self.jwt_public_key:
            raise ConfigError(
                f'auth.jwt_algorithm = "{self.jwt_algorithm}": this needs auth.jwt_public_key; set it, or use "HS256"'
            )


@dataclass(frozen=True, kw_only=True)
class SecurityConfig(Section):
    """Signing secrets of endpoints."""

    NAME = "security"

    main_secret: Secret | None = setting(
        secret(),
        None,
        "What the endpoints' signing secrets are encrypted with in the database. Keep a copy: they are lost without.",
        unset=GENERATED,
        example="a long random text",
    )
    default_signature: Literal["hmac256", "ed25519"] = setting(
        one_of("hmac256", "ed25519"), "hmac256", "Which type of signing secret is generated for a new endpoint."
    )


@dataclass(frozen=True, kw_only=True)
class DeliveryConfig(Section):
    """How messages are delivered."""

    NAME = "delivery"

    timeout: timedelta = setting(
        duration("1ms", "5m"), "15s", "For the whole exchange: connecting, the request, the response with its body."
    )
    retry_schedule: tuple[timedelta, ...] = setting(
        list_of(duration("0s", "30d"), at_most=100),
        ["5s", "5m", "30m", "2h", "5h", "10h", "10h"],
        "The delays after the first attempt, which is made at once. An empty list means no retries.",
    )
    max_payload: int = setting(
        size("1kB", "16MiB"),
        "1MiB",
        "The largest payload of a message; server.max_body is for the request around it.",
    )
    endpoint_max_timeout: timedelta = setting(
        duration("1ms", "5m"), "30s", "The longest timeout that an endpoint may ask for, where timeout is not longer."
    )
    endpoint_max_retries: int = setting(
        integer(0, 100), 20, "The most retries that an endpoint may ask for, where retry_schedule has not more."
    )
    endpoint_max_retry_time: timedelta = setting(
        duration("0s", "365d"),
        "7d",
        "How long the delays that an endpoint asks for may be together, where those of retry_schedule are not longer.",
    )
    jitter: float = setting(
        number(0, 1), 0.2, "Share of each delay by which it may be longer or shorter, so that retries spread out."
    )
    failure_window: timedelta = setting(
        duration("1ms", "3650d"), "5d", "An endpoint that has failed for so long, with no success, is disabled."
    )
    disable_on_gone: bool = setting(boolean(), True, "Whether the response 410 Gone disables an endpoint at once.")
    circuit_breaker: bool = setting(
        boolean(), False, "Whether an endpoint waits as a whole, and is probed, when too many of its attempts fail."
    )
    max_in_flight: int = setting(integer(1, 100_000), 512, "Requests at the same time, in all.")
    max_in_flight_per_endpoint: int = setting(
        integer(1, 100_000), 64, "Requests at the same time to one endpoint; a sick one gets fewer."
    )
    response_limit: int = setting(
        size("0B", "100MiB"), "20kB", "How much of a response's body is read and kept with the attempt."
    )
    shutdown_grace: timedelta = setting(
        duration("0s", "1h"), "10s", "How long requests in flight may take to finish when the engine stops."
    )
    recover_max_age: timedelta = setting(
        duration("1ms", "3650d"), "14d", "How far back the recovery and replay of messages may reach."
    )
    allow_subnets: tuple[Network, ...] = setting(
        list_of(network(), distinct=True),
        [],
        'Private networks that endpoints may be in, such as "127.0.0.1/32". Cloud metadata addresses stay blocked.',
    )
    https_only: bool = setting(boolean(), False, "Whether endpoints with http URLs are refused.")
    signature_headers: tuple[Literal["webhook", "svix"], ...] = setting(
        list_of(one_of("webhook", "svix"), at_least=1, at_most=2, distinct=True),
        ["webhook", "svix"],
        "Prefixes of the signature headers that are sent: webhook-id and so on (Standard Webhooks), svix-id and so on.",
    )
    proxy: str | None = setting(
        optional(proxy_url()), None, "HTTP proxy for all deliveries.", example="http://proxy.example.com:3128"
    )
    ca_file: str | None = setting(
        optional(ca_file()),
        None,
        "PEM file of certificate authorities that https endpoints are trusted by, beside those of the system.",
        example="/etc/webhook-engine/ca.pem",
    )


def _organization() -> Kind[str]:
    return matching(r"org_[A-Za-z0-9_.-]{1,64}", '"org_" and 1 to 64 letters, digits, dots, dashes or underscores')


def _color() -> Kind[str]:
    return matching(r"#[0-9A-Fa-f]{6}", 'a colour such as "#28bb93"')


@dataclass(frozen=True, kw_only=True)
class PortalConfig(Section):
    """The consumers' portal."""

    NAME = "portal"

    link_ttl: timedelta = setting(
        duration("1ms", "30d"), "1h", "How long the link to the portal can be opened; it is good for one use."
    )
    session_ttl: timedelta = setting(
        duration("1ms", "365d"), "7d", "How long the session that a link opens lasts, unless the link says otherwise."
    )
    frame_ancestors: tuple[str, ...] = setting(
        list_of(
            # The value becomes part of a Content-Security-Policy header, hence no spaces, quotes or semicolons.
            matching(
                r"https?://(?:\[[0-9A-Fa-f:.]+\]|(?:\*\.)?[A-Za-z0-9_.-]+)(?::[0-9]{1,5})?",
                'an origin such as "https://app.example.com" or "https://*.example.com", without a path',
            ),
            at_most=100,
            distinct=True,
        ),
        [],
        "Origins of the pages that may embed the portal in a frame.",
    )
    name: str | None = setting(
        optional(matching(r"[^\s\x00-\x1f](?:[^\x00-\x1f\x7f]{0,62}[^\s\x00-\x1f])?", "a name of 1 to 64 characters")),
        None,
        "The name in the bar and in the titles of the pages.",
        unset="the name of the application",
        example="Acme Webhooks",
    )
    logo: str | None = setting(
        optional(https_url()),
        None,
        "The picture beside the name; it is shown 28 pixels high.",
        unset="a sign for webhooks",
        example="https://www.example.com/logo.svg",
    )
    favicon: str | None = setting(
        optional(https_url()),
        None,
        "The picture in the browser's tab.",
        unset="a sign for webhooks",
        example="https://www.example.com/favicon.ico",
    )
    image_origins: tuple[str, ...] = setting(
        list_of(
            matching(
                r"https://[A-Za-z0-9._-]+(?::[0-9]{1,5})?",
                'an origin such as "https://cdn.example.com", without a path',
            ),
            at_most=20,
            distinct=True,
        ),
        [],
        "Further origins that the icon in a link to the portal (icon=https://…) may come from, beside those of logo "
        "and favicon.",
    )
    primary_color: str | None = setting(
        optional(_color()),
        None,
        "The colour of buttons and, made as dark or as bright as reading needs it, of links.",
        unset="indigo",
        example="#0f766e",
    )
    primary_color_dark: str | None = setting(
        optional(_color()), None, "The same where the page is dark.", unset="from primary_color", example="#2dd4bf"
    )
    font: str | None = setting(
        optional(matching(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,63}", "the name of a font")),
        None,
        "The font of the pages: one that readers have, or that of font_url.",
        unset="that of the system",
        example="Inter",
    )
    font_url: str | None = setting(
        optional(https_url()),
        None,
        "Where browsers load the font from, under that name or none; its server must allow it "
        "(Access-Control-Allow-Origin).",
        example="https://www.example.com/inter.woff2",
    )
    theme: Literal["auto", "light", "dark"] = setting(
        one_of("auto", "light", "dark"),
        "auto",
        "Whether the pages are light or dark; auto is as the reader's system is.",
    )
    home_url: str | None = setting(
        optional(https_url()), None, "The way back to the platform, in the bar.", example="https://app.example.com"
    )
    docs_url: str | None = setting(
        optional(https_url()),
        None,
        "The platform's own documentation of its webhooks, in the bar.",
        example="https://docs.example.com/webhooks",
    )


@dataclass(frozen=True, kw_only=True)
class PlayConfig(Section):
    """The limits of Play, the inbox for trying things out."""

    NAME = "play"

    ttl: timedelta = setting(duration("1ms", "365d"), "3d", "How long an inbox lives.")
    max_requests: int = setting(integer(1, 100_000), 200, "How many requests an inbox keeps; the oldest go first.")
    max_body: int = setting(size("0B", "100MiB"), "256kB", "Largest request that an inbox takes.")
    max_inboxes: int = setting(integer(1, 1_000_000), 1000, "How many inboxes there are at most.")


@dataclass(frozen=True, kw_only=True)
class OperationalConfig(Section):
    """Operational webhooks, which notify the platform of events in the engine."""

    NAME = "operational"

    organization: str = setting(
        _organization(),
        "org_00000000000SvixManagement00",
        "The organization that holds the applications of operational webhooks, one for each organization concerned.",
    )


@dataclass(frozen=True, kw_only=True)
class AlertsConfig(Section):
    """Alerts about endpoints, which consumers set up themselves: by e-mail, chat or webhook."""

    NAME = "alerts"

    organization: str = setting(
        _organization(),
        "org_000000000000WebhookAlerts00",
        "The organization that holds the applications of alerts, one for each application that has some.",
    )
    backlog_after: timedelta = setting(
        duration("1s", "30d"), "15m", "An endpoint is behind when something that is due for it has waited for longer."
    )
    digest: timedelta = setting(
        duration("0s", "5m"), "1m", "How long an e-mail waits for further events to tell of in the same one."
    )
    smtp_host: str | None = setting(
        optional(matching(r"[A-Za-z0-9._:-]{1,253}", "a host name or an address")),
        None,
        "The mail server that takes the e-mails.",
        unset="there are no e-mails",
        example="smtp.example.com",
    )
    smtp_port: int = setting(integer(1, 65_535), 587, "Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = setting(
        one_of("starttls", "tls", "none"),
        "starttls",
        "Whether the connection is encrypted once it is there (port 587), from the start (port 465) or not at all.",
    )
    smtp_username: str | None = setting(optional(matching(r"\S{1,254}", "a user name")), None, "The user there.")
    smtp_password: Secret | None = setting(secret(), None, "Its password.")
    sender: str = setting(
        matching(
            r"(?:[^\x00-\x1f<>@\x7f]{0,100}<[^\s<>@]{1,64}@[A-Za-z0-9.-]{1,189}>|[^\s<>@]{1,64}@[A-Za-z0-9.-]{1,189})",
            'an address such as "Webhooks <webhooks@example.com>"',
        ),
        "Webhooks <webhooks@localhost>",
        "Who the e-mails are from.",
    )
    template: str | None = setting(
        optional(letter_template()),
        None,
        "The text of the e-mails, with ${subject}, ${text}, ${portal_url}, ${portal_line}, ${unsubscribe_url} and "
        "${unsubscribe_line}.",
        unset="text, then both lines",
    )


@dataclass(frozen=True, kw_only=True)
class RetentionConfig(Section):
    """How long data is kept."""

    NAME = "retention"

    payload: timedelta = setting(
        duration("1ms", "36500d"),
        "90d",
        "Payloads are deleted when they are older, or with their attempts if that is sooner.",
    )
    attempts: timedelta = setting(
        duration("1ms", "36500d"), "90d", "Attempts, and the messages they belong to, are deleted when they are older."
    )
    audit: timedelta = setting(
        duration("1ms", "36500d"),
        "365d",
        "What the audit log tells of is deleted from it when it is older.",
    )
    audit_addresses: bool = setting(
        boolean(), True, "Whether the audit log keeps the addresses of the clients that changed something."
    )


@dataclass(frozen=True, kw_only=True)
class TransformationsConfig(Section):
    """How requests may be changed before they are signed."""

    NAME = "transformations"

    modules: tuple[str, ...] = setting(
        list_of(
            matching(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", "the name of a module, such as shop.webhooks"), distinct=True
        ),
        [],
        "Modules whose functions with the decorator webhook_engine.transformation endpoints may choose by name.",
    )
    timeout: timedelta = setting(duration("1ms", "5m"), "5s", "For each call of such a function.")
    scripts: bool = setting(
        boolean(),
        False,
        "Whether consumers may have scripts of their own, in JavaScript, which run in processes apart. It needs the "
        "extra: pip install 'webhook-engine[transformations]'.",
    )
    script_processes: int = setting(
        integer(1, 64), 2, "How many scripts run at a time; one application has at most half of them."
    )
    script_timeout: timedelta = setting(duration("10ms", "30s"), "1s", "The computing time of one run of a script.")
    script_memory: int = setting(size("4MB", "1GB"), "32MB", "The memory of one run of a script.")


@dataclass(frozen=True, kw_only=True)
class TracingConfig(Section):
    """Traces, through OpenTelemetry."""

    NAME = "tracing"

    enabled: bool = setting(
        boolean(),
        False,
        "Whether messages and their attempts are traced. It needs the extra: pip install 'webhook-engine[otel]'.",
    )
    send_traceparent: bool = setting(
        boolean(),
        False,
        "Whether deliveries carry a traceparent header, so that receivers can continue the trace. It shows them the "
        "ids of your traces.",
    )

    def unavailable(self, error: ImportError) -> ConfigError:
        """The error to raise if OpenTelemetry, or a part of it, is not installed."""
        return ConfigError(
            f"tracing.enabled = true: this needs OpenTelemetry ({error}); "
            "pip install 'webhook-engine[otel]', or set it to false"
        )


@dataclass(frozen=True, kw_only=True)
class LogConfig(Section):
    """The log of the daemon, on standard error."""

    NAME = "log"

    level: Literal["debug", "info", "warning", "error", "critical"] = setting(
        one_of("debug", "info", "warning", "error", "critical"), "info", "What is less important is left out."
    )
    format: LogFormat | None = setting(
        optional(one_of(*get_args(LogFormat))),
        None,
        "For people or for programs.",
        unset="console on a terminal, else json",
        example="json",
    )


SECTIONS: dict[str, type[Section]] = {
    section.NAME: section
    for section in (
        ServerConfig,
        StoreConfig,
        OutboxConfig,
        AuthConfig,
        SecurityConfig,
        DeliveryConfig,
        PortalConfig,
        PlayConfig,
        OperationalConfig,
        AlertsConfig,
        RetentionConfig,
        TransformationsConfig,
        TracingConfig,
        LogConfig,
    )
}


def all_settings() -> Iterator[tuple[str, str, Setting]]:
    """Yield the section, key and definition of every setting."""
    for name, section in SECTIONS.items():
        for key, known in section.settings().items():
            yield name, key, known


class Sourced(NamedTuple):
    """A value with its source, for errors and ``check-config``."""

    value: Any
    source: str

    @property
    def origin(self) -> str:
        """The source in parentheses, for an error; empty for the calling code."""
        return "" if self.source == "code" else f" ({self.source})"


def sourced(value: object) -> Sourced:
    """The value with its source; a value without one came from the calling code."""
    return value if isinstance(value, Sourced) else Sourced(value, "code")


def read_section(section: type[Section], given: Mapping[str, object]) -> tuple[dict[str, Any], list[str]]:
    """The typed values of a section, and the problems of the others."""
    settings = section.settings()
    values: dict[str, Any] = {}
    problems = []
    for key, wrapped in given.items():
        item = sourced(wrapped)
        name = f"{section.NAME}.{key}"
        if key not in settings:
            problems.append(unknown_key(name, item.origin))
            continue
        kind = settings[key].kind
        try:
            values[key] = kind.read(item.value)
        except ValueError as error:
            shown = "" if kind.hidden else f" = {literal(item.value)}"
            problems.append(f"{name}{shown}{item.origin}: {error}; allowed is {kind.allowed}")
    return values, problems


def unknown_key(name: str, origin: str = "", known: Iterable[str] | None = None) -> str:
    """The error for an unknown key; suggests the nearest of ``known``, or else of all ``section.key``."""
    names = [f"{section}.{key}" for section, key, _ in all_settings()] if known is None else list(known)
    # A known key in the wrong section is the likelier mistake, even if another name is spelled more alike.
    same_key = [each for each in names if _key(each) == _key(name)]
    (nearest,) = difflib.get_close_matches(name, same_key or names, n=1, cutoff=0.0)
    return f"{name}{origin}: there is no such key; the nearest is {nearest}"


def _key(name: str) -> str:
    return re.split(r"\.|__", name)[-1].lower()
