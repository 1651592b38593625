"""Parses YAML to JSON values: the core schema of YAML 1.2, limited to what JSON can express. Pure.

Plain text that YAML 1.1 would convert (``1:30`` to a number, ``no`` to a boolean, ``2030-01-31`` to a date) stays text.
Aliases are refused, since with them a small document could expand to an enormous one, and so are tags that have no JSON
type. The document is read event by event, so that its depth is limited before anything is built.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import yaml

__all__ = ["MAX_DEPTH", "YamlTextError", "parse_yaml"]

MAX_DEPTH: Final = 100

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader written in C, if PyYAML was built with it."""

_TAG = "tag:yaml.org,2002:"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Mapping[str, bool] = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_DECIMAL = re.compile(r"[-+]?[0-9]+").fullmatch
_OCTAL = re.compile(r"0o[0-7]+").fullmatch
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+").fullmatch
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?").fullmatch
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)").fullmatch
_LONGEST_NUMBER = 300
_CHECKED_EVERY = 256
"""Check every this many events whether to stop."""


class YamlTextError(ValueError):
    """The text is not YAML, or uses features that are not supported."""


def parse_yaml(text: str, *, go_on: Callable[[], None] = lambda: None) -> Any:
    """Parse a text with one document; raises :class:`YamlTextError`.

    ``go_on`` is called now and then, and may raise to stop the work.
    """
    try:
        return _document(_watched(yaml.parse(text, _LOADER), go_on))
    except yaml.YAMLError as error:
        raise YamlTextError(" ".join(str(error).split())[:200]) from None
    except UnicodeError:
        raise YamlTextError("the text holds half of a character (a lone surrogate)") from None


def _watched(events: Iterator[Any], go_on: Callable[[], None]) -> Iterator[Any]:
    for number, event in enumerate(events):
        if number % _CHECKED_EVERY == 0:
            go_on()
        yield event


class _Open:
    """A mapping or a list that is still being read."""

    __slots__ = ("key", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.key: str | None = None
        """In a mapping, the key whose value comes next."""

    @property
    def wants_key(self) -> bool:
        """Whether a key comes next, rather than a value."""
        return self.key is None and isinstance(self.value, dict)

    def put(self, value: Any) -> None:
        """Add a value."""
        if self.key is None:
            self.value.append(value)
        else:
            self.value[self.key] = value
            self.key = None


def _document(events: Iterator[Any]) -> Any:
    root = _Open([])
    around = [root]
    documents = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise _refused(event, "aliases are not taken")
        inside = around[-1]
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _refused(event, "only one document is taken")
        elif isinstance(event, yaml.ScalarEvent):
            if inside.wants_key:
                inside.key = _key(event)
            else:
                inside.put(_scalar(event))
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if inside.wants_key:
                raise _refused(event, "a key must be text")
            if len(around) > MAX_DEPTH:
                raise _refused(event, f"at most {MAX_DEPTH} levels of nesting are taken")
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            if event.tag not in (None, "!", _TAG + ("map" if is_mapping else "seq")):
                raise _refused(event, f"the tag {event.tag[:60]!r} is not taken")
            opened = _Open({} if is_mapping else [])
            inside.put(opened.value)
            around.append(opened)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            around.pop()
    return root.value[0] if root.value else None


def _key(event: Any) -> str:
    """A key as written: ``200`` is a name in JSON, and so are ``on`` and ``null``."""
    if event.tag not in (None, "!", *(_TAG + kind for kind in ("str", "int", "bool", "null", "float"))):
        raise _refused(event, f"the tag {event.tag[:60]!r} is not taken")
    return _text(event)


def _scalar(event: Any) -> Any:
    text = _text(event)
    if event.tag is None and not event.implicit[0]:  # quoted, or a block scalar
        return text
    if event.tag is None:
        return _plain(event, text)
    if event.tag in ("!", _TAG + "str"):
        return text
    kinds: Mapping[str, tuple[type, ...]] = {
        "null": (type(None),), "bool": (bool,), "int": (int,), "float": (float, int),
    }  # fmt: skip
    wanted = kinds.get(event.tag.removeprefix(_TAG)) if event.tag.startswith(_TAG) else None
    if wanted is None:
        raise _refused(event, f"the tag {event.tag[:60]!r} is not taken")
    value = _plain(event, text)
    if type(value) not in wanted:
        raise _refused(event, f"{text[:40]!r} is no {event.tag.removeprefix(_TAG)}")
    return value


def _plain(event: Any, text: str) -> Any:
    if text in _NULLS:
        return None
    if (boolean := _BOOLEANS.get(text)) is not None:
        return boolean
    if _NO_NUMBER(text):
        raise _refused(event, f"{text} has no form in JSON")
    if not text[0].isascii() or text[0].isalpha():
        return text
    if len(text) > _LONGEST_NUMBER:
        if _DECIMAL(text) or _FLOAT(text) or _HEXADECIMAL(text) or _OCTAL(text):
            raise _refused(event, f"a number has at most {_LONGEST_NUMBER} characters")
        return text
    if _DECIMAL(text):
        return int(text)
    if _OCTAL(text):
        return int(text[2:], 8)
    if _HEXADECIMAL(text):
        return int(text[2:], 16)
    if _FLOAT(text):
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise _refused(event, f"{text[:40]} is out of range")
        return value
    return text


def _text(event: Any) -> str:
    text: str = event.value
    text.encode()  # raises for a lone surrogate, which an escape may denote
    return text


def _refused(event: Any, problem: str) -> YamlTextError:
    mark = event.start_mark
    return YamlTextError(f"line {mark.line + 1}, column {mark.column + 1}: {problem}")
