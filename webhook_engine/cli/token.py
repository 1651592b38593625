"""``webhook-engine token``: a bearer token for the API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from webhook_engine.cli.configured import configuration
from webhook_engine.clock import Clock
from webhook_engine.ids import IdSource, is_id
from webhook_engine.model import DEFAULT_ORGANIZATION
from webhook_engine.server.tokens import TOKEN_ID_PREFIX, TokenKeys, application_claims, organization_claims

__all__ = ["token"]


def token(
    organization: Annotated[
        str, typer.Argument(metavar="[ORG]", help="The organization, org_…; any such name is one.")
    ] = DEFAULT_ORGANIZATION,
    application: Annotated[
        str | None,
        typer.Option("--app", metavar="ID", help="Only for this application, app_…, as the portal uses them."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", metavar="FILE", help="The TOML file; without it, WEBHOOK_ENGINE_CONFIG names one."
        ),
    ] = None,
) -> None:
    """Print a token, and nothing else: for ten years and everything in an organization, or for one application.

    It is signed with auth.jwt_secret, or with the secret in the file beside the database, which is made if need be.
    """
    if not organization.startswith("org_"):
        raise typer.BadParameter(f"{organization!r} does not begin with org_", param_hint="ORG")
    if application is not None and not is_id("app_", application):
        raise typer.BadParameter(f"{application!r} is not the id of an application", param_hint="--app")
    loaded = configuration(config)
    now = Clock().now()
    token_id, now_s = IdSource().new(TOKEN_ID_PREFIX, now), now // 1_000_000
    claims = (
        organization_claims(organization, token_id, now_s)
        if application is None
        else application_claims(organization, application, token_id, now_s, loaded.portal.session_ttl)
    )
    typer.echo(TokenKeys.of(loaded).sign(claims))
