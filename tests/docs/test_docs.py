"""What the documentation says holds: its code runs, and its tables have all that the code has, and nothing else."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from typer.main import get_command

import webhook_engine
from webhook_engine import Webhook, events
from webhook_engine.cli.commands import app as command_line
from webhook_engine.config.sections import all_settings
from webhook_engine.events import OperationalEvent
from webhook_engine.server.api.routes import ROUTES

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = {page.stem: page.read_text("utf-8") for page in sorted(DOCS.glob("*.md"))}
BLOCKS = [
    pytest.param(text, id=f"{name}-{number}")
    for name, page in PAGES.items()
    for number, text in enumerate(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL), 1)
]
COMMAND = r"(?:`|^|\$\()(?:\S*/)?webhook-engine ([a-z][a-z-]*(?: [a-z][a-z-]*)?)"
COMMANDS = sorted(
    {
        found
        for page in PAGES.values()
        for found in re.findall(
            r"(?:`|^|\$\()(?:\S*/)?webhook-engine ([a-z][a-z-]*(?: [a-z][a-z-]*)?)", page, re.MULTILINE
        )
    }
)
TEST_BLOCK = r"^```python test\n(.*?)^```$"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize("block", BLOCKS)
async def test_every_python_block_runs(block: str, tmp_path: Path) -> None:
    received: list[bytes] = []

    async def hooks(request: web.Request) -> web.Response:
        received.append(await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_post("/hooks", hooks)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        # Only a test sends to its own machine.
        program = block.replace("https://example.com/hooks", f"http://127.0.0.1:{runner.addresses[0][1]}/hooks")
        program = re.sub(r'Engine\.open\("webhooks\.db"', r'\g<0>, allow_subnets=["127.0.0.1/32"]', program)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program),
            cwd=tmp_path,
            env={**os.environ, "WEBHOOK_SECRET": SECRET, "DJANGO_SETTINGS_MODULE": "django.conf.global_settings"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 0, output.decode()
    finally:
        await runner.cleanup()
    assert received == ([b'{"id":1}'] if "example.com/hooks" in block else [])


@pytest.mark.slow
def test_every_test_of_the_documentation_passes(tmp_path: Path) -> None:
    blocks = [block for page in PAGES.values() for block in re.findall(TEST_BLOCK, page, re.MULTILINE | re.DOTALL)]
    for number, block in enumerate(blocks):
        (tmp_path / f"test_{number}.py").write_text(block, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout
    assert f"{len(blocks)} passed" in done.stdout


async def test_the_receivers_of_the_page_take_what_is_genuine_and_refuse_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGES["receiving-and-verifying"], re.MULTILINE | re.DOTALL)
    (text,) = [block for block in blocks if "from flask" in block]
    names: dict[str, object] = {"__name__": "documented"}
    exec(text, names)
    client = names["app"].test_client()  # type: ignore[attr-defined]
    body, sent_at = b'{"id":1}', datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", sent_at, body),
    }
    assert client.post("/hooks", data=body, headers=headers).json == {"got": 1}
    assert client.post("/hooks", data=b'{"id": 1}', headers=headers).status_code == 401


def test_every_setting_is_in_the_reference_and_no_other() -> None:
    documented = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", PAGES["configuration"], re.MULTILINE)
    assert documented == [f"{section}.{key}" for section, key, _ in all_settings()]


def test_the_defaults_in_the_reference_are_those_of_the_example_file() -> None:
    rows = re.findall(r"^\| `([a-z_]+)\.([a-z_]+)` \| (?:`(.*?)`|[^`|]*) \|", PAGES["configuration"], re.MULTILINE)
    section, wanted = "", {}
    for line in (ROOT / "config.example.toml").read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif " = " in line and not line.startswith("#"):
            key, _, value = line.partition(" = ")
            wanted[section, key] = value
    assert {(section, key): value for section, key, value in rows if value} == wanted


def test_every_route_is_in_the_table_and_no_other() -> None:
    documented = re.findall(r"^\| `([A-Z]+ /\S*)` \|", PAGES["api"], re.MULTILINE)
    assert sorted(documented) == sorted(f"{route.method} {route.path}" for route in ROUTES)


def test_every_operational_event_is_in_the_table_and_no_other() -> None:
    documented = dict(re.findall(r"^\| `(\w+Event)` \| `([a-z_.]+)` \|", PAGES["embedding"], re.MULTILINE))
    classes = [getattr(webhook_engine, name) for name in events.__all__ if hasattr(webhook_engine, name)]
    assert documented == {
        kind.__name__: kind.type for kind in classes if issubclass(kind, OperationalEvent) and kind.type
    }


def logged() -> set[str]:
    """The names of the log events in the code; those of operational events are their types."""
    found = set()
    for file in (ROOT / "webhook_engine").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "log"
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(str(node.args[0].value))
    return found


def test_every_log_event_is_in_the_table_and_no_other() -> None:
    table = PAGES["operating"].partition("## Log events")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z_.]+)` \|", table, re.MULTILINE)) == logged()


def test_every_metric_that_is_named_exists() -> None:
    source = (ROOT / "webhook_engine" / "server" / "metrics.py").read_text("utf-8")
    table = PAGES["operating"].partition("## Metrics")[2].partition("\n## ")[0]
    names = re.findall(r"`webhook_engine_([a-z_]+)`", table)
    assert names
    for name in names:
        plain = name.removesuffix("_total")
        assert f'"{plain}"' in source or f'{{PREFIX}}{plain}"' in source, name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_is_named_exists(command: str) -> None:
    node = get_command(command_line)
    for word in command.split():
        children = getattr(node, "commands", None)
        if children is None:
            break  # an argument
        assert word in children, command
        node = children[word]


def test_every_module_that_is_named_exists() -> None:
    package = ROOT / "webhook_engine"
    paths = re.findall(r"`((?:[a-z_]+/)*[a-z_]+(?:\.py|/))`", PAGES["architecture"])
    assert len(paths) > 20
    for path in paths:
        assert (package / path).exists(), path
    folders = {each.name for each in package.iterdir() if (each / "__init__.py").exists()}
    assert folders <= {path.partition("/")[0] for path in paths}


def test_every_link_leads_somewhere() -> None:
    for name, page in PAGES.items():
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page):
            assert (DOCS / target).exists(), f"{name}: {target}"


def test_every_page_is_listed() -> None:
    listed = set(re.findall(r"\]\(([a-z-]+)\.md\)", PAGES["index"]))
    assert listed == set(PAGES) - {"index"}


def test_every_check_of_doctor_is_in_the_table_and_no_other() -> None:
    source = (ROOT / "webhook_engine" / "cli" / "doctor.py").read_text("utf-8")
    checks = set(re.findall(r'Finding\(\s*"([^"]+)"', source))
    table = PAGES["operating"].partition("## Doctor")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| ([\w -]+) \|", table, re.MULTILINE)) - {"check", "---"} == checks


def test_the_alert_rules_that_are_named_are_there() -> None:
    rules = (DOCS / "monitoring" / "prometheus-alerts.yaml").read_text("utf-8")
    assert "alert:" in rules
    json.loads((DOCS / "monitoring" / "grafana-dashboard.json").read_text("utf-8"))
