"""The house as its plan says: what import-linter does not see."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import webhook_engine

PACKAGE = Path(webhook_engine.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
OF_THE_HOST = {
    "cli/host_module.py": "the module of the host that has the engine, or whose classes are declared as events",
    "delivery/processes/child.py": "the program that it is started with, by its path",
    "delivery/transformations/host_modules.py": "the modules with transformations that the configuration names",
    "integrations/django/configuration.py": "the backend that Django's settings name",
    "integrations/django/host_engine.py": "the engine that the settings of the project name, for the admin",
}
"""What is not of this package."""
LOADERS = {"import_module", "__import__", "spec_from_file_location", "resolve_name", "run_module", "import_string"}


def by_string(source: str, own_name: str) -> Iterator[tuple[int, str]]:
    """Where a module loads another by a string: the line, and as much of the name as is written there."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
        if called in LOADERS:
            yield node.lineno, _beginning(node.args[0], own_name) if node.args else ""


def _beginning(name: ast.expr, own_name: str) -> str:
    if isinstance(name, ast.Constant):
        return str(name.value)
    if isinstance(name, ast.Name) and name.id == "__name__":
        return own_name
    if isinstance(name, ast.JoinedStr):
        beginning = ""
        for part in name.values:
            found = _beginning(part.value if isinstance(part, ast.FormattedValue) else part, own_name)
            beginning += found
            if not found:
                break
        return beginning
    return ""


def folder_of(module: Path) -> str:
    return ".".join(("webhook_engine", *module.relative_to(PACKAGE).parent.parts))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_only_what_is_in_the_same_folder_is_imported_by_a_string(module: Path) -> None:
    # import-linter does not see these; inside one folder they cannot go up through the layers.
    folder = folder_of(module)
    name = folder if module.name == "__init__.py" else f"{folder}.{module.stem}"
    if module.relative_to(PACKAGE).as_posix() in OF_THE_HOST:
        return
    for line, beginning in by_string(module.read_text("utf-8"), name):
        assert beginning.startswith(f"{folder}."), f"{module}:{line} imports {beginning or 'something'} by a string"


@pytest.mark.parametrize(
    ("source", "beginning"),
    [
        ('import_module("webhook_engine.server.listener")', "webhook_engine.server.listener"),
        ('importlib.import_module(f"webhook_engine.{name}")', "webhook_engine."),
        ('import_module(f"{__name__}.{name}.more")', "own."),
        ("__import__(name)", ""),
    ],
)
def test_imports_by_a_string_are_seen_however_they_are_written(source: str, beginning: str) -> None:
    assert list(by_string(source, "own")) == [(1, beginning)]


def house() -> list[str]:
    """The parts in the table of the page on architecture, in its order."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    table = page.partition("## The house")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


def test_the_house_is_told_as_it_is() -> None:
    folders = {each.parent.relative_to(PACKAGE) for each in PACKAGE.glob("*/**/__init__.py")}
    # Frameworks have their own ideas of folders, and a demonstration is one file in spirit.
    parts = {
        f"{folder}/" for folder in folders if folder.parts[0] not in ("integrations", "cli") or not folder.parts[1:]
    }
    modules = {each.name for each in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py"}
    listed = house()
    assert len(listed) == len(set(listed))
    assert set(listed) == parts | modules


def test_the_house_stands_in_the_order_of_its_imports() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    [layers] = [each["layers"] for each in contracts if each["type"] == "layers"]
    place = {name: row for row, layer in enumerate(layers) for name in re.findall(r"\w+", layer)}
    rows = [place[re.split(r"[/.]", part)[0]] for part in house()]
    assert rows == sorted(rows)


def test_an_engine_that_serves_nothing_loads_no_server() -> None:
    program = "import sys, webhook_engine; webhook_engine.Engine; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "webhook_engine.core" in loaded
    assert not [
        name for name in loaded if name.startswith(("webhook_engine.server", "aiohttp.web", "jwt", "opentelemetry"))
    ]


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_no_two_migrations_have_one_number(store: str) -> None:
    """Two that were written at the same time may come together without a conflict, and no database could take both."""
    numbers = [int(file.name[:4]) for file in sorted((PACKAGE / "store" / store / "migrations").glob("*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))
