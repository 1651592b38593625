"""Sealing of secrets at rest, and the file with the main secret."""

from __future__ import annotations

import errno
import multiprocessing
import os
import stat
import threading
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.errors import ConfigError, SecretsUnreadableError, ValidationError
from webhook_engine.secrets.encryption import Sealer, generate_main_secret, load_or_create_secret_file

MAIN = "a main secret of the tests"
OTHER = "another main secret of the tests"
PLAIN = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


# Sealing


@given(plain=st.binary(max_size=300), context=st.text(max_size=40), main_secret=st.text("abc é雪", min_size=1))
def test_what_was_sealed_can_be_opened(plain: bytes, context: str, main_secret: str) -> None:
    if not main_secret.strip():
        return
    sealed = Sealer(main_secret).seal(plain, context)
    assert Sealer(main_secret).open(sealed, context) == plain


def test_sealing_hides_the_content_and_never_repeats_itself() -> None:
    sealer = Sealer(MAIN)
    sealed = {sealer.seal(PLAIN, "ep_1") for _ in range(100)}
    assert len(sealed) == 100
    assert not any(PLAIN[6:14] in one or MAIN.encode() in one for one in sealed)


def test_the_format_is_version_key_id_nonce_and_ciphertext() -> None:
    one, two = Sealer(MAIN).seal(PLAIN, "ep_1"), Sealer(MAIN).seal(PLAIN, "ep_1")
    assert len(one) == 1 + 4 + 12 + len(PLAIN) + 16
    assert one[0] == 1
    assert one[:5] == two[:5]
    assert one[:5] != Sealer(OTHER).seal(PLAIN, "ep_1")[:5]
    assert one[5:17] != two[5:17]


@given(data=st.data())
def test_a_flipped_bit_is_noticed(data: st.DataObject) -> None:
    sealer = Sealer(MAIN, older=[OTHER])
    sealed = bytearray(sealer.seal(PLAIN, "ep_1"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SecretsUnreadableError):
        sealer.open(bytes(sealed), "ep_1")


def test_a_cut_value_is_noticed() -> None:
    sealer = Sealer(MAIN)
    sealed = sealer.seal(b"", "ep_1")
    for length in range(len(sealed)):
        with pytest.raises(SecretsUnreadableError):
            sealer.open(sealed[:length], "ep_1")
    assert sealer.open(sealed, "ep_1") == b""


@given(st.binary(max_size=100), st.booleans())
def test_garbage_is_noticed(garbage: bytes, with_key_id: bool) -> None:
    sealer = Sealer(MAIN)
    prefix = sealer.seal(b"", "")[:5] if with_key_id else b""
    with pytest.raises(SecretsUnreadableError):
        sealer.open(prefix + garbage, "ep_1")


def test_a_value_does_not_open_in_another_context() -> None:
    sealer = Sealer(MAIN)
    sealed = sealer.seal(PLAIN, "ep_1")
    for context in ("ep_2", "", "ep_1 ", "EP_1"):
        with pytest.raises(SecretsUnreadableError, match="another record"):
            sealer.open(sealed, context)


def test_another_main_secret_is_told_from_damage_and_says_what_to_do() -> None:
    sealed = Sealer(MAIN).seal(PLAIN, "ep_1")
    with pytest.raises(SecretsUnreadableError, match=r"another main secret.*set security\.main_secret"):
        Sealer(OTHER).open(sealed, "ep_1")


def test_a_newer_format_is_told_from_another_key() -> None:
    sealed = b"\x02" + Sealer(MAIN).seal(PLAIN, "ep_1")[1:]
    with pytest.raises(SecretsUnreadableError, match="newer version"):
        Sealer(MAIN).open(sealed, "ep_1")


def test_the_main_secret_can_be_rotated() -> None:
    old, new = Sealer(MAIN), Sealer(OTHER, older=[MAIN])
    sealed = old.seal(PLAIN, "ep_1")
    assert not old.needs_resealing(sealed)
    assert new.open(sealed, "ep_1") == PLAIN
    assert new.needs_resealing(sealed)
    resealed = new.seal(new.open(sealed, "ep_1"), "ep_1")
    assert not new.needs_resealing(resealed)
    assert Sealer(OTHER).open(resealed, "ep_1") == PLAIN
    with pytest.raises(SecretsUnreadableError):
        old.open(resealed, "ep_1")


def test_a_main_secret_given_twice_does_no_harm() -> None:
    sealer = Sealer(MAIN, older=[MAIN])
    assert sealer.open(sealer.seal(PLAIN, "ep_1"), "ep_1") == PLAIN
    with pytest.raises(SecretsUnreadableError):
        sealer.open(sealer.seal(PLAIN, "ep_1"), "ep_2")


@pytest.mark.parametrize(
    ("main_secret", "older", "field"),
    [("", [], "main_secret"), (" \n", [], "main_secret"), (MAIN, [MAIN, ""], "older[1]")],
)
def test_an_empty_main_secret_is_refused(main_secret: str, older: list[str], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Sealer(main_secret, older=older)
    assert caught.value.field == field


def test_no_secret_in_repr_str_and_errors() -> None:
    sealer = Sealer(MAIN, older=[OTHER])
    texts = [repr(sealer), str(sealer)]
    for bad in (b"", Sealer("third").seal(PLAIN, "ep_1"), sealer.seal(PLAIN, "ep_2")):
        with pytest.raises(SecretsUnreadableError) as caught:
            sealer.open(bad, "ep_1")
        texts.append(repr(caught.value))
    assert not any(secret in text for text in texts for secret in (MAIN, OTHER, "third", PLAIN.decode()))
    assert not hasattr(sealer, "__dict__")


# The secret file


def test_generated_main_secrets_are_long_and_differ() -> None:
    generated = {generate_main_secret() for _ in range(100)}
    assert len(generated) == 100
    assert min(len(secret) for secret in generated) >= 43


def test_a_missing_file_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "main_secret"
    before = os.umask(0)
    try:
        secret = load_or_create_secret_file(path)
    finally:
        os.umask(before)
    assert load_or_create_secret_file(path) == secret
    assert path.read_text() == f"{secret}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_an_existing_file_is_read_without_the_white_space_around(tmp_path: Path) -> None:
    path = tmp_path / "main_secret"
    path.write_text("\n  chosen by hand \r\n")
    assert load_or_create_secret_file(path) == "chosen by hand"
    assert path.read_text() == "\n  chosen by hand \n"


@pytest.mark.parametrize("content", ["", " \n\t\n"])
def test_an_empty_file_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "main_secret"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"main_secret is empty.*backup"):
        load_or_create_secret_file(path)
    assert path.read_text() == content


def test_a_file_that_is_no_text_is_refused_without_showing_it(tmp_path: Path) -> None:
    path = tmp_path / "main_secret"
    path.write_bytes(b"hidden\xff")
    with pytest.raises(ConfigError, match="not text") as caught:
        load_or_create_secret_file(path)
    assert "hidden" not in str(caught.value)


def test_a_path_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    for path in (tmp_path, tmp_path / "no" / "such" / "directory", dangling):
        with pytest.raises(ConfigError, match=str(path)):
            load_or_create_secret_file(path)
    assert list(tmp_path.iterdir()) == [dangling]


def _load(path: Path, start: Barrier, answers: multiprocessing.SimpleQueue[str]) -> None:
    start.wait()
    answers.put(load_or_create_secret_file(path))


def test_processes_that_race_for_the_file_get_the_same_secret(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(4)
    answers: multiprocessing.SimpleQueue[str] = context.SimpleQueue()
    path = tmp_path / "main_secret"
    processes = [context.Process(target=_load, args=(path, start, answers)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    secrets = {answers.get() for _ in processes}
    assert secrets == {path.read_text().strip()}
    assert list(tmp_path.iterdir()) == [path]


def test_threads_that_race_for_the_file_get_the_same_secret(tmp_path: Path) -> None:
    for attempt in range(20):
        path = tmp_path / f"main_secret_{attempt}"
        start = threading.Barrier(8)
        secrets: list[str] = []

        def load(path: Path = path, start: threading.Barrier = start, secrets: list[str] = secrets) -> None:
            start.wait()
            secrets.append(load_or_create_secret_file(path))

        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(secrets) == 8
        assert len(set(secrets)) == 1
    assert len(list(tmp_path.iterdir())) == 20


def test_a_file_that_appears_meanwhile_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "main_secret"
    link = os.link

    def late(source: Path, target: Path) -> None:
        path.write_text("theirs\n")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert load_or_create_secret_file(path) == "theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "main_secret"
    secret = load_or_create_secret_file(path)
    assert path.read_text().strip() == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        load_or_create_secret_file(tmp_path / "main_secret")
    assert list(tmp_path.iterdir()) == []
