"""The examples: each program is started as it says, and what it announces arrives; descriptions of containers agree
with the Dockerfile and with what the daemon really takes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from engines import until
from receivers import Receiver
from typer.main import get_command

from webhook_engine.cli.commands import app as command_line
from webhook_engine.config.loading import Config
from webhook_engine.server.api.routes import ROUTES

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running(folder: Path, *command: str | Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of an example, in its folder."""
    with (
        (Path(environment["TEST_FOLDER"]) / "log").open("ab") as log,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def run(folder: Path, *command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def post(url: str) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=20) as response:
        return json.load(response)


async def answers(url: str, log: Path) -> None:
    def asked() -> bool:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    async def there() -> bool:
        return await asyncio.to_thread(asked)

    try:
        await until(there, 60)
    except TimeoutError:
        pytest.fail(log.read_text())


async def announced(receiver: Receiver, message: str | None = None) -> None:
    [request] = await receiver.wait_for(1, timeout=60)
    assert json.loads(request.body) == {"number": 1}
    assert message is None or request.headers["webhook-id"] == message


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["fastapi", "aiohttp"])
async def test_the_engine_in_the_process_of_the_site(framework: str, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "TEST_FOLDER": str(tmp_path),
        "SHOP_DATABASE": str(tmp_path / "shop.db"),
        "SHOP_URL": url,
        "PORT": str(port),
    }
    command = (
        [BIN / "uvicorn", "shop:app", "--port", str(port)] if framework == "fastapi" else [sys.executable, "shop.py"]
    )
    async with Receiver() as receiver:
        with running(EXAMPLES / framework, *command, **environment):
            await answers(f"{url}/", tmp_path / "log")
            added = await asyncio.to_thread(post, f"{url}/customers/acme?url={receiver.url}")
            assert added["secret"].startswith("whsec_")
            paid = await asyncio.to_thread(post, f"{url}/invoices/1/pay?customer=acme")
            await announced(receiver, paid["message"])
            if framework == "fastapi":
                assert added["portal"].startswith(f"{url}/webhooks/")
                await answers(added["portal"], tmp_path / "log")


@pytest.mark.slow
async def test_flask(tmp_path: Path) -> None:
    port = free_port()
    environment = {"TEST_FOLDER": str(tmp_path), "SHOP_DATABASE": str(tmp_path / "shop.db")}
    folder = EXAMPLES / "flask"
    async with Receiver() as receiver:
        secret = await asyncio.to_thread(
            lambda: run(folder, BIN / "flask", "--app", "shop", "add-customer", "acme", receiver.url, **environment)
        )
        assert secret.startswith("whsec_")
        server = [BIN / "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}", "shop:app"]
        with running(folder, *server, **environment):
            await answers(f"http://127.0.0.1:{port}/health", tmp_path / "log")
            paid = await asyncio.to_thread(post, f"http://127.0.0.1:{port}/invoices/1/pay?customer=acme")
            await announced(receiver, paid["message"])


@pytest.mark.slow
async def test_django(tmp_path: Path) -> None:
    port, api = free_port(), free_port()
    environment = {
        "TEST_FOLDER": str(tmp_path),
        "SHOP_FOLDER": str(tmp_path),
        "SHOP_ENGINE_API": f"http://127.0.0.1:{api}",
        "DJANGO_SUPERUSER_PASSWORD": "secret",
    }
    folder = EXAMPLES / "django"

    def manage(*command: str) -> str:
        return run(folder, sys.executable, "manage.py", *command, **environment)

    async with Receiver() as receiver:
        await asyncio.to_thread(manage, "migrate")
        assert "No changes" in await asyncio.to_thread(manage, "makemigrations", "--check", "--dry-run")
        assert "no issues" in await asyncio.to_thread(manage, "check", "--database", "default")
        assert (await asyncio.to_thread(manage, "add_customer", "acme", receiver.url)).startswith("whsec_")
        engine = [sys.executable, "manage.py", "webhook_engine", "--listen", f"127.0.0.1:{api}"]
        site = [sys.executable, "manage.py", "runserver", "--noreload", str(port)]
        with running(folder, *engine, **environment), running(folder, *site, **environment):
            await answers(f"http://127.0.0.1:{port}/admin/login/", tmp_path / "log")
            await answers(f"http://127.0.0.1:{api}/api/v1/health", tmp_path / "log")
            paid = await asyncio.to_thread(post, f"http://127.0.0.1:{port}/invoices/1/pay?customer=acme")
            await announced(receiver, paid["message"])


@pytest.mark.slow
async def test_celery(tmp_path: Path) -> None:
    environment = {"TEST_FOLDER": str(tmp_path), "SHOP_FOLDER": str(tmp_path)}
    folder = EXAMPLES / "celery"
    async with Receiver() as receiver:
        worker = [BIN / "celery", "--app", "shop", "worker", "--concurrency", "1"]
        engine = [sys.executable, "engine.py", receiver.url]
        with running(folder, *engine, **environment), running(folder, *worker, **environment):

            async def ready() -> bool:
                return "secret: whsec_" in (tmp_path / "log").read_text()

            await until(ready, 60)
            task = [sys.executable, "-c", 'import shop; shop.pay.delay(1, "acme")']
            await asyncio.to_thread(lambda: run(folder, *task, **environment))
            await announced(receiver)


def test_every_example_is_listed_and_says_how_it_is_run() -> None:
    text = (EXAMPLES / "README.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| \[(\w+)\]\(([\w./-]+)\)", text, re.MULTILINE))
    assert set(listed) == {folder.name for folder in EXAMPLES.iterdir() if folder.is_dir()}
    for path in listed.values():
        assert re.search(r"^(?:#  )? {3,4}\w", (EXAMPLES / path).read_text("utf-8"), re.MULTILINE)
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (EXAMPLES / target).exists()


@pytest.mark.parametrize(
    "text",
    [(EXAMPLES / each).read_text("utf-8") for each in ("compose/compose.yaml", "kubernetes/webhook-engine.yaml")],
)
def test_the_commands_of_the_program_exist(text: str) -> None:
    known = get_command(command_line).commands  # type: ignore[attr-defined]
    named = re.findall(r"(?:exec|--) (?:webhook-engine )?webhook-engine (\w[\w-]*)", text)
    assert named
    assert set(named) <= set(known)


def set_by_environment(names: list[str], tmp_path: Path, config: str) -> Config:
    """The configuration as the daemon would read it, with these variables."""
    file = tmp_path / "config.toml"
    file.write_text(config)
    values = {"WEBHOOK_ENGINE_SERVER__PUBLIC_URL": "https://webhooks.example.com"}
    return Config.load(
        file,
        environ={
            name: values.get(name, "a long enough secret for a test, really")
            for name in names
            if name != "WEBHOOK_ENGINE_CONFIG"
        },
    )


def test_compose_agrees_with_the_image(tmp_path: Path) -> None:
    compose = yaml.safe_load((EXAMPLES / "compose" / "compose.yaml").read_text("utf-8"))
    (service,) = compose["services"].values()
    assert (EXAMPLES / "compose" / service["build"] / "Dockerfile").resolve() == ROOT / "Dockerfile"
    mounts = dict(each.split(":")[:2] for each in service["volumes"])
    assert mounts["data"] == re.search(r"^VOLUME (\S+)$", DOCKERFILE, re.MULTILINE)[1]  # type: ignore[index]
    assert "data" in compose["volumes"]
    (published,) = service["ports"]
    assert published.endswith(":" + re.search(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)[1])  # type: ignore[index]
    assert "HEALTHCHECK" in DOCKERFILE  # what --wait waits for
    assert mounts["./config.toml"] == service["environment"]["WEBHOOK_ENGINE_CONFIG"]
    config = set_by_environment(
        list(service["environment"]), tmp_path, (EXAMPLES / "compose" / "config.toml").read_text()
    )
    assert int(service["stop_grace_period"].removesuffix("s")) > config.delivery.shutdown_grace.total_seconds()


def test_kubernetes_agrees_with_the_image(tmp_path: Path) -> None:
    found = {
        each["kind"]: each
        for each in yaml.safe_load_all((EXAMPLES / "kubernetes" / "webhook-engine.yaml").read_text("utf-8"))
    }
    assert set(found) == {"Secret", "ConfigMap", "PersistentVolumeClaim", "Deployment", "Service"}
    deployment = found["Deployment"]["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"]["type"] == "Recreate"
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    user = int(re.search(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)[1])  # type: ignore[index]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == user
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert set(mounts.values()) == set(volumes)
    claim = volumes[mounts["/data"]]["persistentVolumeClaim"]["claimName"]
    assert claim == found["PersistentVolumeClaim"]["metadata"]["name"]
    port = int(re.search(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)[1])  # type: ignore[index]
    assert {each["name"]: each["containerPort"] for each in container["ports"]} == {"http": port}
    paths = {f"/api/v1{route.path}" for route in ROUTES if route.method == "GET"}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["path"] in paths
        assert container[probe]["httpGet"]["port"] == "http"
    assert container["livenessProbe"]["httpGet"]["path"].endswith("/ping")
    for variable in container["env"]:
        if "valueFrom" in variable:
            wanted = variable["valueFrom"]["secretKeyRef"]
            assert wanted["name"] == found["Secret"]["metadata"]["name"]
            assert wanted["key"] in found["Secret"]["stringData"]
    config = set_by_environment(
        [each["name"] for each in container["env"]], tmp_path, found["ConfigMap"]["data"]["config.toml"]
    )
    assert pod["terminationGracePeriodSeconds"] > config.delivery.shutdown_grace.total_seconds()
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == found["Service"]["spec"]["selector"] == labels
    assert found["Service"]["spec"]["ports"][0]["targetPort"] == "http"


def test_what_an_example_installs_is_an_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for file in EXAMPLES.rglob("*.py"):
        for extra in re.findall(r"webhook-engine\[(\w+)\]", file.read_text("utf-8")):
            assert extra in extras
