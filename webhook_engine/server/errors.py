"""The API's errors, and how the engine's own errors map to them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from webhook_engine.errors import (
    ConfigError,
    ConflictError,
    EngineNotRunningError,
    NotFoundError,
    PayloadUnavailableError,
    PositionLimitError,
    RotationLimitError,
    StoreUnavailableError,
    ValidationError,
    WebhookEngineError,
)
from webhook_engine.rules.problems import OptionRule

__all__ = [
    "ApiError",
    "HttpError",
    "HttpValidationError",
    "Problem",
    "UnprocessableError",
    "as_api_error",
    "malformed",
    "problem_in",
    "rule_name",
]

RETRY_AFTER_S = 1

_MISSING = re.compile(r"Object missing required field `(.+?)`")
_SOME_VALUE = "[...]"
_PATH = re.compile(r"^(?P<text>.*?) - at `\$(?P<path>.*)`$", re.DOTALL)


class HttpError(msgspec.Struct, frozen=True):
    """The body of every error but 422 and 500."""

    code: str
    detail: str


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request."""

    loc: tuple[str, ...]
    """``body`` or ``query``, then the names that lead to it."""
    msg: str
    type: str = "value_error"


class HttpValidationError(msgspec.Struct, frozen=True):
    """The body of a 422."""

    detail: Sequence[Problem]


class ApiError(Exception):
    """A response other than success."""

    def __init__(self, status: int, code: str, detail: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.retry_after_s = retry_after_s
        self.body = msgspec.json.encode(HttpError(code, detail))


class UnprocessableError(ApiError):
    """A request that is understood but not allowed, with everything that is wrong with it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(422, "validation", "; ".join(problem.msg for problem in problems))
        self.body = msgspec.json.encode(HttpValidationError(problems))


def malformed(error: Exception) -> UnprocessableError:
    """The response to a body that is not valid JSON or has wrong types; locations use the JSON names."""
    text, path = _one_line(error), ""
    if isinstance(error, RecursionError):
        text = "the JSON is nested too deeply"
    elif isinstance(error, UnicodeDecodeError):
        text = f"the body is not valid UTF-8 (byte {error.start})"
    elif match := _PATH.match(text):
        text, path = match["text"], match["path"]
        if _SOME_VALUE in path:
            # The decoder does not say which member of a map it is.
            path, text = path.partition(_SOME_VALUE)[0], f"{text} in one of its values"
    if match := _MISSING.match(text):
        text = f"missing field `{match[1]}`"
    path = path.lstrip(".")
    # At the root the path is ".", which splits into two empty names.
    loc = tuple((path or ".").split("."))
    return UnprocessableError(Problem(("body", *loc), f"{path}: {text}" if path else text, "value_error.jsondecode"))


def problem_in(place: str, error: ValidationError) -> Problem:
    """What is wrong with a value in the body, the query or the path."""
    return Problem((place, *_location(error.field)), _sentence(error.problem), _kind(error))


def as_api_error(error: WebhookEngineError) -> ApiError | None:
    """The API error for an error of the engine; ``None`` if the client did not cause it."""
    match error:
        case ValidationError():
            return UnprocessableError(problem_in("body", error))
        case NotFoundError():
            return ApiError(404, "not_found", "Entity not found")
        case ConflictError():
            return _conflict(error)
        case PayloadUnavailableError():
            return ApiError(400, "missing_payload", "Unable to resend message. Payload is missing (probably expired).")
        case RotationLimitError():
            return ApiError(400, "limit_reached", f"You can only rotate a key 10 times: {error}.")
        case PositionLimitError():
            return ApiError(400, "limit_reached", f"{_sentence(str(error))}.")
        case StoreUnavailableError() | EngineNotRunningError():
            reason = f" ({error.reason})" if isinstance(error, StoreUnavailableError) and error.reason else ""
            return ApiError(
                503,
                "unavailable",
                f"The request cannot be handled right now{reason}, and nothing of it was kept; try again later.",
                retry_after_s=RETRY_AFTER_S,
            )
        case ConfigError():
            return ApiError(400, "not_configured", _one_line(error))
        case _:
            return None


def _conflict(error: ConflictError) -> ApiError:
    if error.kind == "event type":
        return ApiError(409, "event_type_exists", "An event_type with this name already exists")
    if error.kind == "application":
        return ApiError(409, "conflict", "An application with that id or uid already exists")
    return ApiError(409, "conflict", "A conflict has occurred")


def _location(field: str) -> tuple[str, ...]:
    """``channels[0]`` as ``channels``, ``[0]``."""
    name, bracket, rest = field.partition("[")
    return (name, bracket + rest) if bracket else (name,)


def rule_name(error: ValidationError) -> str | None:
    """The name of the rule that was broken, if it has one, by which programs tell problems apart."""
    return error.rule.name.lower() if isinstance(error.rule, OptionRule) else None


def _kind(error: ValidationError) -> str:
    name = rule_name(error)
    return "value_error" if name is None else f"value_error.{name}"


def _sentence(problem: str) -> str:
    return problem[:1].upper() + problem[1:]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
