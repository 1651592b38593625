"""Rotation of generated secrets.

Older main secrets only decrypt, until the engine encrypts their data again when it starts. Older JWT secrets only
verify tokens, until their file is removed.
"""

from __future__ import annotations

from pathlib import Path

from webhook_engine.errors import ConfigError
from webhook_engine.secrets.files import generate_secret, older_file, older_secrets, put_secrets

__all__ = ["rotate"]


def rotate(path: Path) -> None:
    """Put a new secret into the file ``path``; the previous one is kept as an older one.

    Raises ``ConfigError`` if the file does not exist.
    """
    try:
        current = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such secret yet; where it is configured, change it there, and put the one "
            f"before it into {older_file(path)}"
        ) from None
    # In this order, no secret is lost if the process is interrupted.
    put_secrets(older_file(path), current, *(one for one in older_secrets(path) if one != current))
    put_secrets(path, generate_secret())
