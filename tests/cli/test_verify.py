"""``webhook-engine verify``: for whoever wonders why a webhook does not verify."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commands import run

from webhook_engine import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_" + "A" * 32
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'


def arguments(*, secret: str = SECRET, age: timedelta = timedelta(0), body: bytes = BODY) -> list[str]:
    """Options for a webhook that was signed some time ago."""
    signed_at = datetime.fromtimestamp(int(time.time()), UTC) - age
    signature = Webhook(SECRET).sign(ID, signed_at, body)
    timestamp = str(int(signed_at.timestamp()))
    return ["verify", "--secret", secret, "--id", ID, "--timestamp", timestamp, "--signature", signature]


def test_an_authentic_webhook_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(BODY)
    done = run(*arguments(), str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert "authentic" in done.stdout


@pytest.mark.parametrize("dash", [[], ["-"]])
def test_and_from_standard_input(dash: list[str]) -> None:
    assert run(*arguments(), *dash, stdin=BODY).returncode == 0


def test_the_published_example_with_a_tolerance_of_years() -> None:
    signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    options = ["--id", ID, "--timestamp", "1614265330", "--signature", signature, "--tolerance", "36500d"]
    done = run("verify", *options, stdin=BODY, WEBHOOK_SECRET=SECRET)
    assert done.returncode == 0
    assert "signed at 2021-02-25 15:02:10 UTC" in done.stdout


def test_one_of_several_secrets_is_enough() -> None:
    assert run(*arguments(secret=OTHER_SECRET), "--secret", SECRET, stdin=BODY).returncode == 0


@pytest.mark.parametrize(
    ("changes", "body", "words"),
    [
        ({"secret": OTHER_SECRET}, BODY, "no signature fits"),
        ({}, BODY.replace(b"4", b"5"), "no signature fits"),
        ({}, b'{"test":2432232314}', "parsed and written again"),
        ({}, BODY + b"\n", "parsed and written again"),
        ({"age": timedelta(hours=1)}, BODY, "timestamp is too old.*Apart from that it is authentic"),
        ({"age": timedelta(hours=-1)}, BODY, "timestamp is too new.*Apart from that it is authentic"),
        ({"age": timedelta(hours=1)}, b"other", "timestamp is too old.*Besides, no signature fits"),
    ],
)
def test_the_mistake_is_named_in_one_line(changes: dict[str, object], body: bytes, words: str) -> None:
    done = run(*arguments(**changes), stdin=body)  # type: ignore[arg-type]
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert re.search(words, line)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--timestamp", "abc"], "must be whole seconds"),
        (["--timestamp", "9" * 13], "too new"),
        (["--signature", "g0hM9SsE"], "no well-formed signature of version v1"),
        (["--signature", ""], "webhook-signature is missing"),
    ],
)
def test_a_header_that_was_copied_wrongly(options: list[str], words: str) -> None:
    done = run(*arguments(), *options, stdin=BODY)
    assert done.returncode == 1
    assert words in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--secret", "rubbish"],
        ["--tolerance", "5"],
        ["--tolerance", "0s"],
        ["no-such-file"],
        ["--nonsense"],
    ],
)
def test_wrong_usage_has_the_exit_code_two_and_shows_no_secret(options: list[str]) -> None:
    done = run(*arguments(), *options, stdin=BODY)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr
