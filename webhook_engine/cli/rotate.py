"""``webhook-engine rotate``: replace a secret, and keep the old one for what still needs it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from webhook_engine.cli.configured import ConfigOption, configuration
from webhook_engine.cli.terminal import err
from webhook_engine.errors import ConfigError
from webhook_engine.secrets.files import SecretFile, older_file
from webhook_engine.secrets.rotation import rotate as put_new

__all__ = ["rotate"]


class Which(StrEnum):
    """A secret that is generated beside the database."""

    MAIN = "main-secret"
    JWT = "jwt-secret"


def rotate(
    secret: Annotated[Which, typer.Argument(help="Which one.", metavar="main-secret|jwt-secret")],
    config: ConfigOption = None,
) -> None:
    """Make a new secret, used from the next start of the engine; the old one keeps working where it is still needed.

    With a new main secret, the engine encrypts all signing secrets anew when it starts. With a new JWT secret, tokens
    of the old one are good until its file is removed.
    """
    loaded = configuration(config)
    main = secret is Which.MAIN
    if (loaded.security.main_secret if main else loaded.auth.jwt_secret) is not None:
        key = "security.main_secret" if main else "auth.jwt_secret"
        raise ConfigError(f"{key} is configured, so it is changed there; see the documentation for what was before it")
    path = (SecretFile.MAIN if main else SecretFile.JWT).of(loaded.store.files)
    put_new(path)
    if main:
        err.print("restart the engine: it encrypts the signing secrets of all endpoints anew", soft_wrap=True)
    else:
        hint = f"restart the engine, make new tokens, and then remove {older_file(path)}"
        err.print(hint, soft_wrap=True)
