"""The documentation as a site: every page is in its navigation, every public name in its reference, and it builds."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
import tomllib
import zlib
from pathlib import Path

import pytest

import webhook_engine

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
REFERENCE = "\n".join(page.read_text("utf-8") for page in sorted((DOCS / "python").glob("*.rst")))
PUBLIC_MODULES = [
    "webhook_engine",
    "webhook_engine.outbox",
    "webhook_engine.testing",
    "webhook_engine.integrations.aiohttp",
    "webhook_engine.integrations.fastapi",
    "webhook_engine.integrations.flask",
    "webhook_engine.integrations.sqlalchemy",
    "webhook_engine.integrations.starlette",
]
MANAGERS = ["applications", "endpoints", "event_types", "messages", "alerts", "attempts", "tasks", "imports", "portal"]


def described() -> set[str]:
    """Every name that the reference has by itself."""
    return set(re.findall(r"^\.\. auto(?:class|exception|function|data):: ([\w.]+)(?:\(\))?$", REFERENCE, re.MULTILINE))


def public(module: str) -> set[str]:
    return {f"{module}.{name}" for name in importlib.import_module(module).__all__ if not name.startswith("__")}


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_every_public_name_is_in_the_reference(module: str) -> None:
    assert public(module) <= described()


def test_what_the_reference_names_is_public() -> None:
    apart = {
        name
        for name in described()
        if not name.startswith(("webhook_engine.resources.", "webhook_engine.integrations.django."))
    }
    assert apart <= set().union(*map(public, PUBLIC_MODULES))


def test_the_django_app_is_in_the_reference_too() -> None:
    # Its modules need settings; its names are read from the source.
    source = (ROOT / "webhook_engine" / "integrations" / "django" / "__init__.py").read_text("utf-8")
    (names,) = re.findall(r"__all__ = \[(.*?)\]", source, re.DOTALL)
    assert {f"webhook_engine.integrations.django.{name}" for name in re.findall(r'"(\w+)"', names)} <= described()


def test_every_manager_of_an_engine_is_in_the_reference(tmp_path: Path) -> None:
    engine = webhook_engine.Engine.open(tmp_path / "webhooks.db")
    for name in MANAGERS:
        kind = type(getattr(engine, name))
        assert f"{kind.__module__}.{kind.__name__}" in described()
    managers = {
        name for name, value in vars(engine).items() if type(value).__module__.startswith("webhook_engine.resources.")
    }
    assert {name for name in managers if not name.startswith("_")} == set(MANAGERS)


def test_every_page_is_in_the_navigation_once() -> None:
    index = (DOCS / "index.md").read_text("utf-8")
    listed = re.findall(r"^\| \[[^\]]+\]\(([\w-]+)\.md\)", index, re.MULTILINE)
    assert sorted(listed) == sorted(page.stem for page in DOCS.glob("*.md") if page.stem != "index")
    assert re.findall(r"^## (.+)$", index, re.MULTILINE) == ["Tutorial", "How-to guides", "Reference", "Explanation"]
    api = (DOCS / "python-api.md").read_text("utf-8")
    assert sorted(re.findall(r"\(python/([\w-]+)\.rst\)", api)) == sorted(
        page.stem for page in (DOCS / "python").glob("*")
    )


def test_the_size_of_every_extra_is_said() -> None:
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"])
    page = (DOCS / "installing.md").read_text("utf-8")
    said = re.findall(r"^\| `(\w+)` \| [^|]+ \| \+ [\d.]+ \| \+ \d+ \|$", page, re.MULTILINE)
    assert set(said) == extras - {"dev", "docs", "test"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("furo")
    done = subprocess.run(
        [sys.executable, str(DOCS / "build.py"), str(tmp_path / "site")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    site = tmp_path / "site" / webhook_engine.__version__
    assert f"{webhook_engine.__version__}/index.html" in (tmp_path / "site" / "index.html").read_text()
    pages = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    assert all((site / f"{page.stem}.html") in pages for page in DOCS.glob("*.md"))
    for path, page in pages.items():
        fetched = re.findall(
            r'<(?:script|img|iframe|link(?! rel="(?:canonical|next|prev|search|index)"))[^>]*?(?:src|href)="([^"]+)"',
            page,
        )
        assert not [target for target in fetched if re.match(r"https?:|//", target)], path
    for style in site.rglob("*.css"):
        assert not re.findall(r"url\(['\"]?(?:https?:|//)|@import", style.read_text("utf-8")), style
    names = objects(site / "objects.inv")
    for module in PUBLIC_MODULES:
        assert public(module) <= names
    for name in MANAGERS:
        for method, member in inspect.getmembers(kind_of(name), inspect.isfunction):
            if not method.startswith("_"):
                assert any(found.endswith(f".{kind_of(name).__name__}.{method}") for found in names), (method, member)


def kind_of(manager: str) -> type:
    words = "".join(word.title() for word in manager.split("_"))
    found: type = getattr(importlib.import_module(f"webhook_engine.resources.{manager}"), words)
    return found


def objects(inventory: Path) -> set[str]:
    """The names of an inventory of Sphinx: four lines of text, and then one line each, compressed."""
    packed = inventory.read_bytes().split(b"\n", 4)[4]
    return {line.split(" ")[0] for line in zlib.decompress(packed).decode().splitlines() if " py:" in line}
