"""The command that rotates secrets."""

from __future__ import annotations

from pathlib import Path

from commands import run

from webhook_engine import Config
from webhook_engine.server.tokens import TokenKeys


def test_tokens_of_the_old_jwt_secret_are_good_until_its_file_is_removed(tmp_path: Path) -> None:
    config = Config.for_database(tmp_path / "a.db")
    old = TokenKeys.of(config).sign({"sub": "org_1"})
    done = run("rotate", "jwt-secret", WEBHOOK_ENGINE_STORE__URL=f"sqlite:///{tmp_path}/a.db")
    assert done.returncode == 0, done.stderr
    keys = TokenKeys.of(config)
    assert keys.verified(old) == {"sub": "org_1"}
    assert keys.sign({"sub": "org_1"}) != old
    (tmp_path / "a.db.jwt_secret.older").unlink()
    assert TokenKeys.of(config).verified(old) is None


def test_a_configured_secret_is_rotated_in_the_configuration(tmp_path: Path) -> None:
    environment = {"WEBHOOK_ENGINE_STORE__URL": f"sqlite:///{tmp_path}/a.db"}
    assert run("rotate", "main-secret", **environment).returncode == 2
    assert run("rotate", "main-secret", WEBHOOK_ENGINE_SECURITY__MAIN_SECRET="x", **environment).returncode == 2
