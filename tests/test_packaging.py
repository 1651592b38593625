"""What people install: the wheel has everything that the package needs, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
from trove_classifiers import classifiers

from webhook_engine import __version__

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (file,) = folder.glob("*.whl")
    return ZipFile(file)


def metadata(wheel: ZipFile, name: str) -> str:
    return wheel.read(f"webhook_engine-{__version__}.dist-info/{name}").decode()


def test_every_file_of_the_package_is_in_it(wheel: ZipFile) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "webhook_engine"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    # One that is deleted but not committed yet is still listed.
    files = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    assert "webhook_engine/py.typed" in files
    assert "webhook_engine/outbox/sqlite.sql" in files
    assert files - set(wheel.namelist()) == set()


def test_nothing_else_is_in_it(wheel: ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"webhook_engine", f"webhook_engine-{__version__}.dist-info"}
    assert not [name for name in wheel.namelist() if name.endswith((".pyc", ".db"))]


def test_it_brings_the_command(wheel: ZipFile) -> None:
    entry_points = ConfigParser()
    entry_points.read_string(metadata(wheel, "entry_points.txt"))
    assert dict(entry_points["console_scripts"]) == {"webhook-engine": "webhook_engine.cli:main"}


def test_it_brings_license_and_description(wheel: ZipFile) -> None:
    described = Parser().parsestr(metadata(wheel, "METADATA"))
    assert described["License-Expression"] == "MIT"
    assert described["Requires-Python"] == ">=3.11"
    assert described.get_payload().startswith("# Webhook Engine")  # type: ignore[union-attr]
    assert metadata(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text("utf-8")


def test_its_classifiers_exist_and_its_links_are_no_inventions(wheel: ZipFile) -> None:
    described = Parser().parsestr(metadata(wheel, "METADATA"))
    found = described.get_all("Classifier") or []
    assert set(found) <= set(classifiers)
    assert found == sorted(set(found))
    for framework in ("AsyncIO", "Celery", "Django", "FastAPI", "Flask", "Pytest", "aiohttp"):
        assert f"Framework :: {framework}" in found
    # The project has no public address yet: none is better than one that leads nowhere.
    assert described.get_all("Project-URL") is None


def test_how_to_report_a_vulnerability_is_told_without_an_invented_address() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    assert "private vulnerability reporting" in text
    assert not re.search(r"[\w.]+@[\w.]+|https?://", text)
    for target, anchor in re.findall(r"\]\(([\w/.-]+)(?:#([\w-]+))?\)", text):
        page = (ROOT / target).read_text("utf-8")
        headings = {re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in page.splitlines()}
        assert not anchor or anchor in headings


def test_the_commands_need_no_extra(wheel: ZipFile) -> None:
    needed = Parser().parsestr(metadata(wheel, "METADATA")).get_all("Requires-Dist") or []
    plain = {requirement for requirement in needed if "extra ==" not in requirement}
    for name in ("aiohttp", "aiosqlite", "cryptography", "msgspec", "rich", "structlog", "typer"):
        assert any(requirement.startswith(name) for requirement in plain)
    assert not [requirement for requirement in plain if requirement.startswith("opentelemetry")]
