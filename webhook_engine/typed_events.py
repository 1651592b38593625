"""Typed events: a class declared once as an event, from which its event type, schema and payloads are made.

>>> @event("invoice.paid")
... @dataclass
... class InvoicePaid:
...     \"\"\"An invoice was paid.\"\"\"
...     id: int

The class is a dataclass, a ``Struct`` of msgspec, a class of attrs or a model of pydantic.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from webhook_engine.errors import ValidationError
from webhook_engine.rules import names
from webhook_engine.rules.event_class import ATTRIBUTE, declaration_of
from webhook_engine.rules.payload import payload_bytes
from webhook_engine.rules.values import integer

__all__ = ["Declaration", "declarations", "declared_in", "event"]

T = TypeVar("T")

MAX_VERSION = 65_535
_REFERENCE = "#/definitions/{name}"


class Declaration:
    """An event type as a class declares it, in one version."""

    def __init__(
        self,
        kind: type,
        name: str,
        version: int,
        *,
        description: str | None,
        examples: Sequence[object],
        group_name: str | None,
        deprecated: bool,
    ) -> None:
        self.kind = kind
        self.name = names.name("name", name)
        self.version = str(integer("version", version, 1, MAX_VERSION))
        self.group_name = names.optional_name("group_name", group_name)
        self.deprecated = deprecated
        self._description = description
        self._examples = examples

    @property
    def description(self) -> str:
        """What it means: as declared, or else the docstring of the class."""
        if self._description is not None:
            return self._description
        text = inspect.getdoc(self.kind) or ""
        # A dataclass without a docstring gets its signature as one, and a class without one that of its base.
        inherited = any(text == inspect.getdoc(base) for base in self.kind.__mro__[1:])
        return "" if inherited or text.startswith(f"{self.kind.__name__}(") else text

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema (draft 7) of its payloads; raises ``ValidationError`` if a field cannot be described."""
        schema = _pydantic_schema(self.kind) if _is_pydantic(self.kind) else _schema(self.kind)
        schema = {key: value for key, value in schema.items() if key != "description"}
        described: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#"}
        if self.description:
            described["description"] = self.description
        described |= schema
        if self._examples:
            described["examples"] = [json.loads(payload_bytes(example)) for example in self._examples]
        return described

    def check(self, body: bytes) -> None:
        """Raise ``ValidationError`` if the payload does not obey the schema."""
        if (problem := self._first_problem(json.loads(body))) is not None:
            raise ValidationError("event", f"is no {self.kind.__name__} as {self.name} has it: {problem}")

    def _first_problem(self, payload: object) -> str | None:
        error = next(iter(self._validator.iter_errors(payload)), None)
        if error is None:
            return None
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
        return f"{path.lstrip('.') or 'the payload itself'}: {error.message}"

    @cached_property
    def _validator(self) -> Any:
        import jsonschema_rs  # noqa: PLC0415 (not needed without typed events)

        return jsonschema_rs.validator_for(self.schema)


def event(
    name: str,
    *,
    version: int = 1,
    description: str | None = None,
    examples: Iterable[object] = (),
    group_name: str | None = None,
    deprecated: bool = False,
) -> Callable[[type[T]], type[T]]:
    """Declare a class as the payload of an event type, in one version; put it above the class's other decorators.

    ``description``: the docstring of the class by default. ``examples``: instances, or what becomes of them in JSON.
    The description of a field is in ``field(metadata={"description": …})`` of a dataclass or attrs, in
    ``Annotated[…, msgspec.Meta(description=…)]``, or in pydantic's ``Field(description=…)``.
    Raises ``ValidationError`` for a name or version that is not allowed.
    """

    def declare(kind: type[T]) -> type[T]:
        declaration = Declaration(
            kind,
            name,
            version,
            description=description,
            examples=tuple(examples),
            group_name=group_name,
            deprecated=deprecated,
        )
        setattr(kind, ATTRIBUTE, declaration)
        return kind

    return declare


def declarations(kinds: Iterable[type]) -> list[Declaration]:
    """What these classes declare; raises ``ValidationError`` for one that declares nothing, or the same twice."""
    found: dict[tuple[str, str], Declaration] = {}
    for kind in kinds:
        declaration = declaration_of(kind) if isinstance(kind, type) else None
        if not isinstance(declaration, Declaration):
            shown = kind.__name__ if isinstance(kind, type) else repr(kind)
            raise ValidationError("events", f"must be classes declared with @event; {shown} is none")
        other = found.setdefault((declaration.name, declaration.version), declaration)
        if other is not declaration:
            raise ValidationError(
                "events",
                f"{other.kind.__name__} and {declaration.kind.__name__} are both version {declaration.version} of "
                f"{declaration.name}; give one of them another version",
            )
    return list(found.values())


def declared_in(names: Mapping[str, object]) -> list[type]:
    """The declared classes among the names of a module."""
    found = [value for value in names.values() if isinstance(value, type) and declaration_of(value) is not None]
    return list(dict.fromkeys(found))


def _is_pydantic(kind: type) -> bool:
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(kind, pydantic.BaseModel)


def _pydantic_schema(kind: Any) -> dict[str, Any]:
    try:
        schema = kind.model_json_schema(mode="serialization", ref_template=_REFERENCE.replace("{name}", "{model}"))
    except sys.modules["pydantic"].errors.PydanticUserError as error:
        raise _undescribed(kind, error) from error
    definitions = schema.pop("$defs", {})
    return {**schema, **({"definitions": definitions} if definitions else {})}


def _schema(kind: type) -> dict[str, Any]:
    import msgspec  # noqa: PLC0415 (likewise)

    try:
        [root], definitions = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
    except (TypeError, RuntimeError) as error:
        raise _undescribed(kind, error) from error
    own: dict[str, Any] = dict(root)
    if "$ref" in root:
        name = root["$ref"].rpartition("/")[2]
        own = dict(definitions[name])
        if not _refers_to(definitions, name):
            definitions.pop(name)
    if not issubclass(kind, msgspec.Struct):
        # All fields of such a class are encoded, also those with a default.
        for schema in (own, *definitions.values()):
            if "properties" in schema:
                schema["required"] = list(schema["properties"])
        for field in _fields(kind):
            _describe(own["properties"].get(field.name, {}), field.metadata)
    return {**own, **({"definitions": definitions} if definitions else {})}


def _fields(kind: Any) -> Sequence[Any]:
    import dataclasses  # noqa: PLC0415 (likewise)

    if dataclasses.is_dataclass(kind):
        return dataclasses.fields(kind)
    fields: Sequence[Any] = sys.modules["attr"].fields(kind)
    return fields


def _describe(schema: dict[str, Any], metadata: Mapping[str, Any]) -> None:
    for key in ("description", "examples"):
        if key in metadata:
            schema[key] = metadata[key]


def _refers_to(definitions: Mapping[str, object], name: str) -> bool:
    return f'"{_REFERENCE.format(name=name)}"' in json.dumps(definitions, default=str)


def _undescribed(kind: type, error: Exception) -> ValidationError:
    reason = str(error).strip().splitlines()[-1]  # The lines before it are advice for callers of the library.
    return ValidationError("event", f"{kind.__name__} has a field that JSON Schema cannot describe: {reason}")
