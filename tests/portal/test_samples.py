"""The code that the tab Verify shows does what it says, in each language that this machine has."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from playwright.async_api import expect
from receivers import Receiver

from webhook_engine import Webhook

from .conftest import Stage, staged


async def sample(stage: Stage, endpoint: str, language: str) -> str:
    """The code for an endpoint, with its own secret."""
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint}?tab=verify")
    await page.get_by_role("button", name="Put my secret into the code").click()
    await expect(page.get_by_role("button", name="Put my secret into the code")).to_have_count(0)
    await page.get_by_role("tab", name=language, exact=True).click()
    return await page.get_by_role("region", name=language, exact=True).inner_text()


async def run(*command: str, stdin: str = "", cwd: Path) -> int:
    """The exit code of a program."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    await process.communicate(stdin.encode())
    assert process.returncode is not None
    return process.returncode


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here to run JavaScript with")
async def test_javascript_tells_right_from_wrong(stage: Stage, receiver: Receiver, tmp_path: Path) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    (tmp_path / "verify.mjs").write_text(await sample(stage, endpoint.id, "JavaScript"))
    await stage.engine.messages.create("acme", event_type="n", payload={"n": "é"})
    [request] = await receiver.wait_for(1)
    headers = json.dumps({name.lower(): value for name, value in request.headers.items()})
    (tmp_path / "body").write_bytes(request.body)
    program = f"""
        import {{ readFileSync }} from "node:fs";
        import {{ verify }} from "./verify.mjs";
        const body = readFileSync("body");
        verify(body, {headers});
        try {{
          verify(Buffer.concat([body, Buffer.from(" ")]), {headers});
        }} catch {{
          process.exit(0);
        }}
        process.exit(1);
    """
    assert await run("node", "--input-type=module", stdin=program, cwd=tmp_path) == 0


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="there is no curl or openssl here")
async def test_curl_sends_a_request_that_verifies(stage: Stage, receiver: Receiver, tmp_path: Path) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=f"{receiver.url}?it's=1")
    code = await sample(stage, endpoint.id, "curl")
    assert await run("bash", "-eu", stdin=code, cwd=tmp_path) == 0
    [request] = await receiver.wait_for(1)
    secret = await stage.engine.endpoints.get_secret("acme", endpoint.id)
    assert Webhook(secret).verify(request.body, dict(request.headers)) == {"test": True}


async def test_python_verifies_public_keys(tmp_path: Path, receiver: Receiver) -> None:
    async with staged(tmp_path / "engine.db", security__default_signature="ed25519") as stage:
        endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
        page = await stage.portal()
        await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}?tab=verify")
        await page.get_by_role("button", name="Put my secret into the code").click()
        await expect(page.get_by_role("region", name="Python")).to_contain_text("whpk_")
        shown: dict[str, object] = {}
        exec(await page.get_by_role("region", name="Python").inner_text(), shown)
        await stage.engine.messages.create("acme", event_type="n", payload={})
        [request] = await receiver.wait_for(1)
        shown["verify"](request.body, request.headers)  # type: ignore[operator]
