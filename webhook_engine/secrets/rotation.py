"""Rotation of generated secrets: what was in use before stands in a file beside the secret, one in each line.

Older main secrets only open what they have sealed, until the engine has sealed it anew when it starts. Older JWT
secrets only check tokens, until somebody removes their file.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from webhook_engine.errors import ConfigError
from webhook_engine.secrets.encryption import generate_main_secret

__all__ = ["older_file", "older_secrets", "rotate"]


def older_file(path: Path) -> Path:
    """Where the predecessors of the secret in the file ``path`` are."""
    return path.with_name(f"{path.name}.older")


def older_secrets(path: Path) -> list[str]:
    """The predecessors of the secret in the file ``path``, if any are kept."""
    try:
        lines = older_file(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"the secret file {older_file(path)} cannot be read: {problem}") from problem
    return [line.strip() for line in lines if line.strip()]


def rotate(path: Path) -> None:
    """Put a new secret into the file ``path``; the one that was there is kept as an older one."""
    try:
        current = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such secret yet; where it is configured, change it there, and put the one "
            f"before it into {older_file(path)}"
        ) from None
    # In this order: whenever it is interrupted, the secret in use and all before it are known.
    _write(older_file(path), [current, *(one for one in older_secrets(path) if one != current)])
    _write(path, [generate_main_secret()])


def _write(path: Path, lines: list[str]) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    directory = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
