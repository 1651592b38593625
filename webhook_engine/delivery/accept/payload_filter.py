"""Evaluation of payload filters, compiled once and used for many messages. Pure.

The language of filters is described in :mod:`webhook_engine.rules.payload_filter`. The time of an evaluation is
bounded: by the number of conditions, and for lists by the size of the payload. If the bound is exceeded the message is
sent: a consumer can ignore a message that it does not want, but never learns of one that it does not get.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec

__all__ = ["Content", "PayloadFilter", "passing", "refusing"]

BYTES_A_STEP = 8
"""Bytes of a payload that allow one step in lists."""
STEPS_AT_LEAST = 1_000
SEARCHED_A_STEP = 256
"""Characters of a text searched in one step."""


class _Nothing(Enum):
    NOTHING = "nothing"


NOTHING = _Nothing.NOTHING
"""The value of a missing member."""


_UNREAD = object()


class _TooMuchError(Exception):
    """The steps are used up."""


class Content:
    """The payload of one message, parsed when its first filter needs it."""

    __slots__ = ("_payload", "_read", "steps")

    def __init__(self, payload: bytes | None) -> None:
        self._payload = payload
        self._read: object = _UNREAD
        self.steps = STEPS_AT_LEAST + len(payload or b"") // BYTES_A_STEP
        """Steps left for all filters."""

    @property
    def value(self) -> object:
        """The parsed payload; ``NOTHING`` if it is not JSON."""
        if self._read is _UNREAD:
            try:
                self._read = NOTHING if self._payload is None else _ANYTHING.decode(self._payload)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._read = NOTHING
        return self._read

    def step(self, steps: int = 1) -> None:
        """Use up steps; raises ``_TooMuchError`` if none are left."""
        self.steps -= steps
        if self.steps < 0:
            raise _TooMuchError


_ANYTHING = msgspec.json.Decoder()

Test = Callable[[object, Content], bool]


class PayloadFilter:
    """A compiled filter, validated before."""

    __slots__ = ("_all", "_said", "_steps", "_text")

    def __init__(self, said: Mapping[str, object]) -> None:
        self._said = said
        self._all = _filter(said)
        self._steps = 2 * _size(said)
        """Steps that it may take whatever the payload, apart from lists."""
        self._text: bytes | None = None

    @property
    def text(self) -> bytes:
        """Its source as JSON."""
        if self._text is None:
            self._text = json.dumps(self._said).encode()
        return self._text

    def passes(self, content: Content) -> bool:
        """Whether a message goes to the endpoint."""
        return self._holds(self._all, content)

    def refused_by(self, content: Content) -> dict[str, object] | None:
        """The first condition that does not hold; ``None`` if all do."""
        for name, wanted in self._said.items():
            if not self._holds(_filter({name: wanted}), content):
                return {name: wanted}
        return None

    def _holds(self, test: Test, content: Content) -> bool:
        content.steps = max(content.steps, 0)
        content.steps += self._steps
        try:
            return test(content.value, content)
        except _TooMuchError:
            return True


def passing(filters: Iterable[PayloadFilter], payload: bytes) -> list[bool]:
    """Whether the payload passes, for each filter; they share its steps."""
    content = Content(payload)
    return [one.passes(content) for one in filters]


def refusing(filters: Iterable[PayloadFilter], payload: bytes) -> list[dict[str, object] | None]:
    """The first condition that the payload does not meet, for each filter; they share its steps."""
    content = Content(payload)
    return [one.refused_by(content) for one in filters]


def _size(said: object) -> int:
    match said:
        case dict():
            return sum(1 + name.count(".") + _size(wanted) for name, wanted in said.items())
        case list():
            return sum(1 + _size(one) for one in said)
        case _:
            return 1


def _filter(said: Mapping[str, object]) -> Test:
    here: list[Test] = []
    members: list[Test] = []
    for name, wanted in said.items():
        if name.startswith("$"):
            here.append(_operator(name, wanted))
        else:
            test = _wanted(wanted)
            is_place = name.partition(".")[0].isdecimal()
            (here if is_place else members).append(_path(name, test) if "." in name else _member(name, test))
    if not members:
        return _every(here)
    of_members = _every(members)

    def some_item(value: object, content: Content) -> bool:
        if type(value) is not list:
            return of_members(value, content)
        content.step(len(value))
        return any(of_members(item, content) for item in value if type(item) is dict)

    return _every([*here, some_item])


def _every(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    return lambda value, content: all(test(value, content) for test in tests)


def _member(name: str, test: Test) -> Test:
    place = int(name) if name.isdecimal() and len(name) < 10 else None

    def member(value: object, content: Content) -> bool:
        content.step()
        found: object = NOTHING
        if type(value) is dict:
            found = value.get(name, NOTHING)
        elif place is not None and type(value) is list and place < len(value):
            found = value[place]
        return test(found, content)

    return member


def _path(name: str, test: Test) -> Test:
    first, _, rest = name.partition(".")
    parts = _member(first, _through(rest, test))

    def path(value: object, content: Content) -> bool:
        if type(value) is dict and name in value:
            content.step()
            return test(value[name], content)
        return parts(value, content)

    return path


def _through(name: str, test: Test) -> Test:
    inner = _path(name, test) if "." in name else _member(name, test)
    is_place = name.partition(".")[0].isdecimal()

    def through(value: object, content: Content) -> bool:
        if type(value) is not list or is_place:
            return inner(value, content)
        content.step(len(value))
        return any(inner(item, content) for item in value if type(item) is dict)

    return through


def _wanted(wanted: object) -> Test:
    match wanted:
        case dict():
            return _filter(wanted)
        case list():
            return _has_each([_wanted(one) for one in wanted])
        case _:
            return _operator("$eq", wanted)


def _has_each(tests: Sequence[Test]) -> Test:
    def has_each(value: object, content: Content) -> bool:
        if type(value) is not list:
            return False
        return all(any(_stepped(test, item, content) for item in value) for test in tests)

    return has_each


def _stepped(test: Test, item: object, content: Content) -> bool:
    content.step()
    return test(item, content)


def _operator(name: str, wanted: object) -> Test:
    match name, wanted:
        case "$and", list():
            return _every([_filter(one) for one in wanted])
        case "$or", list():
            return _some([_filter(one) for one in wanted])
        case "$not", dict():
            return _none(_filter(wanted))
        case "$exist", _:
            return lambda value, _: (value is not NOTHING) is wanted
        case "$neq", _:
            return _none(_operator("$eq", wanted))
        case "$nin", _:
            return _none(_operator("$in", wanted))
        case "$eq", list() | dict():
            return lambda value, _: _same(value, wanted)
        case "$in", str():
            return _contains(wanted)
        case "$in", list():
            scalars = frozenset(_key(one) for one in wanted if not isinstance(one, list | dict))
            others = [one for one in wanted if isinstance(one, list | dict)]

            def is_in(value: object) -> bool:
                if type(value) is list or type(value) is dict:
                    return any(_same(value, other) for other in others)
                return _key(value) in scalars

            return _of_items(is_in, whole=bool(others))
        case _:
            return _of_items(_comparison(name, wanted))


def _some(tests: Sequence[Test]) -> Test:
    return lambda value, content: any(test(value, content) for test in tests)


def _none(test: Test) -> Test:
    return lambda value, content: not test(value, content)


def _of_items(holds: Callable[[object], bool], *, whole: bool = False) -> Test:
    """Test a value, or for a list any item of it (or the list as a whole)."""

    def of_items(value: object, content: Content) -> bool:
        content.step()
        if type(value) is not list:
            return holds(value)
        content.step(len(value))
        return (whole and holds(value)) or any(holds(item) for item in value)

    return of_items


def _contains(text: str) -> Test:
    key = _key(text)

    def contains(value: object, content: Content) -> bool:
        if type(value) is str:
            content.step(1 + len(value) // SEARCHED_A_STEP)
            return text in value
        if type(value) is not list:
            return False
        content.step(1 + len(value))
        return any(_key(item) == key for item in value)

    return contains


_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def _comparison(name: str, wanted: object) -> Callable[[object], bool]:
    match name, wanted:
        case "$startsWith", str():
            return lambda value: isinstance(value, str) and value.startswith(wanted)
        case "$endsWith", str():
            return lambda value: isinstance(value, str) and value.endswith(wanted)
        case "$eq", _:
            key = _key(wanted)
            return lambda value: _key(value) == key
        case _:
            order = _ORDER[name]
            kinds = (str,) if isinstance(wanted, str) else (int, float)
            return lambda value: type(value) in kinds and order(value, wanted)


def _key(value: object) -> object:
    """The comparison key of a scalar: true is not 1, and 1 equals 1.0. Lists and objects equal no scalar."""
    if isinstance(value, bool):
        return (value,)
    return value if value is None or isinstance(value, str | int | float) else _OTHER


_OTHER = object()


def _same(value: object, wanted: object) -> bool:
    """Whether two JSON values are equal, compared to the depth of ``wanted``."""
    if isinstance(wanted, list):
        return (
            isinstance(value, list)
            and len(value) == len(wanted)
            and all(_same(one, other) for one, other in zip(value, wanted, strict=True))
        )
    if isinstance(wanted, dict):
        return (
            isinstance(value, dict)
            and value.keys() == wanted.keys()
            and all(_same(value[name], other) for name, other in wanted.items())
        )
    return _key(value) == _key(wanted)
