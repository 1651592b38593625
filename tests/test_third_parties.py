"""Of other people's packages only that is imported which their documentation names."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import webhook_engine

PACKAGE = Path(webhook_engine.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

DOCUMENTED = {
    "aiohappyeyeballs",
    "aiohttp",
    "aiohttp.abc",
    "aiosmtplib",
    "aiosqlite",
    "asgiref.sync",
    "asyncpg",
    "click",
    "cryptography",
    "cryptography.exceptions",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "cryptography.hazmat.primitives.asymmetric.types",
    "cryptography.hazmat.primitives.ciphers",
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.ciphers.algorithms",
    "cryptography.hazmat.primitives.hashes",
    "cryptography.hazmat.primitives.kdf.hkdf",
    "cryptography.hazmat.primitives.serialization",
    "django",
    "django.apps",
    "django.conf",
    "django.contrib",
    "django.contrib.admin.models",
    "django.contrib.contenttypes.models",
    "django.core.checks",
    "django.core.exceptions",
    "django.core.management.base",
    "django.db",
    "django.db.migrations.operations.base",
    "django.dispatch",
    "django.http",
    "django.template.response",
    "django.urls",
    "django.utils.module_loading",
    "django.utils.timezone",
    "django.views.decorators.csrf",
    "fastapi",
    "flask",
    "flask.cli",
    "flask.typing",
    "httptools",
    "jsonschema_rs",
    "jwt",
    "jwt.warnings",
    "msgspec",
    "multidict",
    "opentelemetry",
    "opentelemetry.context",
    "opentelemetry.sdk.resources",
    "opentelemetry.sdk.trace",
    "opentelemetry.sdk.trace.export",
    "opentelemetry.trace",
    "opentelemetry.trace.propagation.tracecontext",
    "opentelemetry.util.types",
    "prometheus_client",
    "prometheus_client.core",
    "prometheus_client.exposition",
    "prometheus_client.registry",
    "psycopg",
    "pymysql",
    "pytest",
    "pytest_asyncio",
    "quickjs",
    "rich.console",
    "rich.markup",
    "rich.progress",
    "rich.syntax",
    "rich.table",
    "rich.text",
    "sqlalchemy",
    "sqlalchemy.engine",
    "starlette.requests",
    "starlette.responses",
    "structlog",
    "typer",
    "typer.core",
    "typer.main",
    "uvloop",
    "werkzeug.serving",
    "yaml",
    "yarl",
}
"""Before you add a module, look that its documentation has it: what it has not may be gone with the next version."""

FEW_PLACES = {
    "aiohappyeyeballs": ["delivery/http/dial.py"],
    "aiosmtplib": ["delivery/mail/mailer.py"],
    "httptools": ["delivery/http/reader.py", "server/plain_request.py", "server/relayed.py"],
    "quickjs": ["delivery/transformations/worker.py"],
}
"""What only these modules may know."""


def imported(module: Path) -> Iterator[tuple[str, list[str]]]:
    """The modules of third parties that a module imports, and the names that it takes from each."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found = [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found = [(node.module or "", [alias.name for alias in node.names])]
        else:
            continue
        for name, names in found:
            if name.partition(".")[0] not in {*sys.stdlib_module_names, "webhook_engine"}:
                yield name, names


def private(name: str) -> bool:
    return any(part.startswith("_") for part in name.split("."))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_only_documented_modules_and_no_private_names_are_imported(module: Path) -> None:
    found = list(imported(module))
    assert {name for name, _ in found} <= DOCUMENTED
    assert not [name for name, names in found if any(map(private, [name, *names]))]


def test_the_table_has_nothing_that_is_not_imported() -> None:
    found = {name for module in MODULES for name, _ in imported(module)}
    assert found == DOCUMENTED


@pytest.mark.parametrize("library", FEW_PLACES)
def test_a_library_that_few_modules_stand_on_is_known_to_no_other(library: str) -> None:
    places = [module for module in MODULES if library in {name for name, _ in imported(module)}]
    assert sorted(str(module.relative_to(PACKAGE)) for module in places) == FEW_PLACES[library]


def test_deliveries_are_made_without_aiohttp() -> None:
    for module in (PACKAGE / "delivery").rglob("*.py"):
        assert not [name for name, _ in imported(module) if name.partition(".")[0] == "aiohttp"]
