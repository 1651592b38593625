"""The files beside a database with generated secrets."""

from __future__ import annotations

import errno
import multiprocessing
import os
import stat
import threading
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from webhook_engine.errors import ConfigError
from webhook_engine.secrets.files import (
    SecretFile,
    generate_secret,
    load_or_create_secret_file,
    older_file,
    older_secrets,
    put_secrets,
)


def test_each_secret_has_its_place_beside_the_database() -> None:
    database = Path("/var/lib/webhooks.db")
    assert SecretFile.MAIN.of(database) == Path("/var/lib/webhooks.db.main_secret")
    assert older_file(SecretFile.JWT.of(database)) == Path("/var/lib/webhooks.db.jwt_secret.older")


def test_what_is_put_into_a_file_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert older_secrets(path) == []
    for lines in (["a", "b"], ["c"]):
        put_secrets(older_file(path), *lines)
        assert older_secrets(path) == lines
    [made] = tmp_path.iterdir()
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


def test_generated_secrets_are_long_and_differ() -> None:
    generated = {generate_secret() for _ in range(100)}
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


def test_nor_does_one_that_fills_up_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, synced = os.fsync, 0

    def full_at_last(descriptor: int) -> None:
        nonlocal synced
        synced += 1
        if synced > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "fsync", full_at_last)
    with pytest.raises(ConfigError, match="No space left"):
        load_or_create_secret_file(tmp_path / "main_secret")
    assert list(tmp_path.iterdir()) == []
