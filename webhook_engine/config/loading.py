"""Configuration: one TOML file, overridden by the environment; or plain keyword arguments. Both are checked strictly.

The settings, with types, defaults and descriptions, are in :mod:`webhook_engine.config.sections`.
"""

from __future__ import annotations

import os
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from webhook_engine.config.sections import (
    SECTIONS,
    AlertsConfig,
    AuthConfig,
    DeliveryConfig,
    LogConfig,
    OperationalConfig,
    OutboxConfig,
    PlayConfig,
    PortalConfig,
    RetentionConfig,
    Section,
    SecurityConfig,
    ServerConfig,
    Sourced,
    StoreConfig,
    TracingConfig,
    TransformationsConfig,
    all_settings,
    read_section,
    sourced,
    unknown_key,
)
from webhook_engine.config.values import Kind, Secret, database_url, literal, store_url, without_passwords
from webhook_engine.errors import ConfigError

__all__ = [
    "AlertsConfig",
    "AuthConfig",
    "Config",
    "DeliveryConfig",
    "EffectiveSetting",
    "LogConfig",
    "OperationalConfig",
    "OutboxConfig",
    "PlayConfig",
    "PortalConfig",
    "RetentionConfig",
    "Secret",
    "Section",
    "SecurityConfig",
    "ServerConfig",
    "StoreConfig",
    "TracingConfig",
    "TransformationsConfig",
    "example_toml",
]

ENVIRONMENT_PREFIX = "WEBHOOK_ENGINE_"
CONFIG_FILE_VARIABLE = "WEBHOOK_ENGINE_CONFIG"


class EffectiveSetting(NamedTuple):
    """The effective value of a setting."""

    key: str
    value: str
    """As TOML, with secrets masked; if there is no value, the effective behaviour in parentheses."""
    source: str
    """``default``, ``code``, the name of the file, or ``environment WEBHOOK_ENGINE_…``."""


@dataclass(frozen=True, init=False)
class Config:
    """The whole configuration. ``Config()`` is all defaults; only :meth:`load` reads the environment.

    Each section is given as a mapping of its keys, with values as in TOML or typed, or as its section object:
    ``Config(delivery={"retry_schedule": ["10ms"]}, server=ServerConfig(listen="127.0.0.1:0"))``. Unknown keys, wrong
    types and invalid values raise a ``ConfigError`` with one line for each problem.
    """

    server: ServerConfig
    store: StoreConfig
    outbox: OutboxConfig
    auth: AuthConfig
    security: SecurityConfig
    delivery: DeliveryConfig
    portal: PortalConfig
    play: PlayConfig
    operational: OperationalConfig
    alerts: AlertsConfig
    retention: RetentionConfig
    transformations: TransformationsConfig
    tracing: TracingConfig
    log: LogConfig
    _sources: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __init__(self, **sections: Section | Mapping[str, object]) -> None:
        problems = [problem for name, given in sections.items() for problem in _unknown_section(name, given)]
        sources: dict[str, str] = {}
        for name, section_class in SECTIONS.items():
            try:
                section, section_sources = _section(section_class, sections.get(name, {}))
            except ConfigError as error:
                problems.append(str(error))
                continue
            object.__setattr__(self, name, section)
            sources |= section_sources
        if problems:
            raise ConfigError("\n".join(problems))
        object.__setattr__(self, "_sources", sources)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None) -> Config:
        """Load the TOML file, if there is one, and the environment, which overrides it.

        Without ``path``, the variable ``WEBHOOK_ENGINE_CONFIG`` names the file; without that, no file is read.
        ``environ`` replaces the environment of the process. Raises ``ConfigError``.
        """
        environ = os.environ if environ is None else environ
        file = path if path is not None else environ.get(CONFIG_FILE_VARIABLE) or None
        sections = _from_file(Path(file)) if file is not None else {}
        problems = _override(sections, environ)
        return cls._checked(sections, problems)

    @classmethod
    def for_database(cls, database: str | os.PathLike[str], /, **settings: object) -> Config:
        """The configuration of an engine on this database: the path of an SQLite file, or a URL as in ``store.url``.

        ``settings`` are keys of ``[delivery]``, or ``section__key`` of another section.
        """
        names = {
            key if section == "delivery" else f"{section}__{key}": (section, key)
            for section, key, _ in all_settings()
            if (section, key) != ("store", "url")
        }
        sections: dict[str, dict[str, object]] = {}
        problems = []
        try:
            sections["store"] = {"url": database_url(database)}
        except ValueError as error:
            shown = without_passwords(literal(os.fspath(database)))
            problems.append(f"the database {shown}: {error}; allowed is {store_url().allowed}")
        for name, value in settings.items():
            if name in names:
                section, key = names[name]
                sections.setdefault(section, {})[key] = value
            else:
                problems.append(unknown_key(name, known=names))
        return cls._checked(sections, problems)

    @classmethod
    def _checked(cls, sections: Mapping[str, Any], problems: list[str]) -> Config:
        """The configuration of these sections; raises ``ConfigError`` for the given problems and new ones."""
        try:
            config = cls(**sections)
        except ConfigError as error:
            raise ConfigError("\n".join([*problems, str(error)])) from None
        if problems:
            raise ConfigError("\n".join(problems))
        return config

    def effective(self) -> Iterator[EffectiveSetting]:
        """Yield every setting with its effective value and source."""
        for section, key, known in all_settings():
            value = getattr(getattr(self, section), key)
            shown = f"({known.unset})" if value is None else known.kind.show(value)
            yield EffectiveSetting(f"{section}.{key}", shown, self._sources.get(f"{section}.{key}", "default"))


def example_toml() -> str:
    """The text of ``config.example.toml``: every setting with its description and default."""
    lines = [
        "# Webhook Engine: every setting at its default. A key that is commented out has none, only an example.",
        f"# The environment overrides this file: {ENVIRONMENT_PREFIX}DELIVERY__TIMEOUT=5s sets timeout in [delivery].",
    ]
    for name, section in SECTIONS.items():
        defaults = section()
        lines += ["", "", f"# {section.__doc__}", f"[{name}]"]
        for key, known in section.settings().items():
            default = getattr(defaults, key)
            lines += ["", *_comment(known.description)]
            if default is None:
                lines += _comment(f"If unset: {known.unset}.")
            lines += _comment(f"Allowed: {known.kind.allowed}.")
            lines.append(
                f"# {key} = {literal(known.example)}" if default is None else f"{key} = {known.kind.show(default)}"
            )
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 110, initial_indent="# ", subsequent_indent="# ")


def _section(section_class: type[Section], wrapped: object) -> tuple[Section, dict[str, str]]:
    """A section from a mapping or a section object, and the sources of its values."""
    name, (given, _) = section_class.NAME, sourced(wrapped)
    if isinstance(given, section_class):
        default = section_class()
        changed = [key for key in given.settings() if getattr(given, key) != getattr(default, key)]
        return given, {f"{name}.{key}": "code" for key in changed}
    if not isinstance(given, Mapping):
        raise ConfigError(f"{name}{sourced(wrapped).origin}: allowed is a table, [{name}], of its keys")
    values, problems = read_section(section_class, given)
    if problems:
        raise ConfigError("\n".join(problems))
    return section_class(**values), {f"{name}.{key}": sourced(value).source for key, value in given.items()}


def _unknown_section(name: str, wrapped: object) -> list[str]:
    """The problems of a section that does not exist: one for each key."""
    given = sourced(wrapped)
    if name in SECTIONS:
        return []
    if isinstance(given.value, Mapping) and given.value:
        return [unknown_key(f"{name}.{key}", sourced(item).origin) for key, item in given.value.items()]
    names = [*SECTIONS, *(f"{section}.{key}" for section, key, _ in all_settings())]
    return [unknown_key(name, given.origin, names)]


def _from_file(path: Path) -> dict[str, Any]:
    """The sections of a TOML file; each value carries its source."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the configuration file {path} cannot be read ({error.strerror}); correct --config or "
            f"{CONFIG_FILE_VARIABLE}, or leave both out for the defaults"
        ) from error
    except UnicodeDecodeError:
        raise ConfigError(f"the configuration file {path} is not UTF-8 text; save it in that encoding") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = str(error).replace("at end of document", f"at line {text.count(chr(10)) + 1}, the end of the file")
        raise ConfigError(f"the configuration file {path} is not valid TOML: {where}") from error
    return {
        name: {key: Sourced(item, str(path)) for key, item in value.items()}
        if isinstance(value, dict)
        else Sourced(value, str(path))
        for name, value in document.items()
    }


def _override(sections: dict[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Override the sections with values from the environment; returns the problems."""
    variables = {
        f"{ENVIRONMENT_PREFIX}{section}__{key}".upper(): (section, key, known.kind)
        for section, key, known in all_settings()
    }
    problems = []
    for variable, text in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or "__" not in variable.removeprefix(ENVIRONMENT_PREFIX):
            continue
        if variable not in variables:
            problems.append(unknown_key(variable, known=variables))
            continue
        section, key, kind = variables[variable]
        table = sections.setdefault(section, {})
        if isinstance(table, dict):  # otherwise the error is reported with the others of the file
            table[key] = Sourced(_environment_value(text, kind), f"environment {variable}")
    return problems


def _environment_value(text: str, kind: Kind[Any]) -> object:
    """Parse the text of a variable as TOML; use it as a string if it is not TOML, or if a string is expected."""
    if kind.textual and not re.fullmatch(r"""\s*(".*"|'.*')\s*""", text, re.DOTALL):
        return text
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return document["value"] if len(document) == 1 else text
