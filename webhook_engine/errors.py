"""Every error that the package raises on purpose. Each one says what was wrong, with what, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = [
    "AFTER_FORK",
    "BreakingChangeError",
    "ConfigError",
    "ConflictError",
    "EngineAlreadyRunningError",
    "EngineNotRunningError",
    "ExampleUnavailableError",
    "NotFoundError",
    "PayloadUnavailableError",
    "PortalUnavailableError",
    "PositionLimitError",
    "RotationLimitError",
    "SchemaVersionError",
    "SecretsUnreadableError",
    "StoreError",
    "StoreUnavailableError",
    "ValidationError",
    "WebhookEngineError",
]

AFTER_FORK = (
    "the engine was started before this process was forked, and what it runs on stayed behind; "
    "make and start another one after the fork (gunicorn: in post_fork, or without preload_app), "
    "or share one engine between the processes (SharedEngine, SyncSharedEngine)"
)
"""The text of ``EngineNotRunningError`` in a process that was forked from one with a running engine."""


class WebhookEngineError(Exception):
    """Base of every error that Webhook Engine raises on purpose.

    Each can be pickled and copied with its attributes and notes, since worker processes pass them on.
    """

    def __reduce__(self) -> tuple[Callable[..., WebhookEngineError], tuple[object, ...], dict[str, object]]:
        # By default an exception is rebuilt from its text, but these take other arguments.
        return _made_again, (type(self), *self.args), self.__dict__


def _made_again(kind: type[WebhookEngineError], *words: object) -> WebhookEngineError:
    error = kind.__new__(kind)
    error.args = words
    return error


class ConfigError(WebhookEngineError):
    """A configuration key is unknown, of the wrong type, or impossible; the text names it, and what is allowed."""


class ValidationError(WebhookEngineError):
    """A value given by the caller is not allowed.

    ``field`` is the argument, in snake_case with list positions in brackets (``channels[0]``, ``metadata``);
    ``problem`` is one sentence that says what is allowed. ``rule`` is the rule that was broken, where it has a name
    (see ``webhook_engine.rules.problems``).
    """

    def __init__(self, field: str, problem: str, rule: object = None) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem
        self.rule = rule


class ExampleUnavailableError(ValidationError):
    """The event type has no example to send; add one to its JSON Schema, version "1", under ``examples``."""


class NotFoundError(WebhookEngineError):
    """No such application, endpoint, event type, message, attempt or task (in this organization)."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"there is no {kind} {key!r} here; address it by its id or its uid")
        self.kind = kind
        self.key = key


class BreakingChangeError(WebhookEngineError):
    """The schema of an event type would change so that consumers break; ``problems`` says where, a line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(
            "\n  ".join(["consumers rely on what would change; declare another version, or allow it:", *problems])
        )
        self.problems = tuple(problems)


class ConflictError(WebhookEngineError):
    """A uid, an event id or a name is taken already."""

    def __init__(self, kind: str, field: str, value: str) -> None:
        super().__init__(f"{kind} with {field} {value!r} exists already; use another, or address the existing one")
        self.kind = kind
        self.field = field
        self.value = value


class PositionLimitError(WebhookEngineError):
    """The application has the maximum number of poller positions; reuse the name of an existing consumer."""


class PayloadUnavailableError(WebhookEngineError):
    """The message's payload has expired or was expunged, so there is nothing to send."""


class RotationLimitError(WebhookEngineError):
    """Too many rotated signing secrets are still valid; wait for the oldest to expire."""


class SecretsUnreadableError(WebhookEngineError):
    """Signing secrets cannot be decrypted with the configured ``security.main_secret``."""


class StoreError(WebhookEngineError):
    """The database refused a change; nothing of it was stored."""


class StoreUnavailableError(StoreError):
    """The database cannot be written or read right now (disk full, locked, I/O error, file gone). Try again later.

    ``reason`` says why in a few words without paths, for people who do not run the engine.
    """

    def __init__(self, text: str, *, reason: str | None = None) -> None:
        super().__init__(text)
        self.reason = reason


class SchemaVersionError(StoreError):
    """The database was made by a newer version of Webhook Engine than this one."""


class EngineAlreadyRunningError(StoreError):
    """Another engine holds this database; the text names the process."""


class EngineNotRunningError(WebhookEngineError):
    """The engine was not started, or is stopping; use it inside ``async with``."""


class PortalUnavailableError(WebhookEngineError):
    """Nothing serves the portal and no ``server.public_url`` is configured."""
