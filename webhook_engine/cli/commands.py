"""Every command and group of commands; each has a module, which is imported when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from webhook_engine.version import __version__

__all__ = ["COMMANDS", "app"]

COMMANDS = {
    "serve": ("serve", "Run the engine with its HTTP API until SIGTERM or Ctrl-C; a second one ends it at once."),
    "demo": ("demo", "Show the engine at work: a message delivered, one retried, an endpoint disabled."),
    "token": ("token", "Print a token, and nothing else: for ten years and everything in an organization."),
    "check-config": ("check_config", "Check the configuration and show each setting as it holds."),
    "portal": ("portal", "Print a URL that opens the portal of an application."),
    "send": ("send", "Send a message to the endpoints of an application."),
    "resend": ("resend", "Send a message to an endpoint once more, now, whatever its status."),
    "recover": ("recover", "Send again everything that failed for an endpoint since a time."),
    "replay-missing": ("replay_missing", "Send an endpoint the messages since a time that it never had."),
    "app": ("application", "Applications: the consumers of webhooks."),
    "endpoint": ("endpoint", "Endpoints: the URLs of an application."),
    "event-type": ("event_type", "Event types: the named kinds of messages."),
    "message": ("message", "Messages, and their deliveries."),
    "task": ("task", "Background tasks: how a recover or a replay goes on."),
    "import": (
        "importing",
        "Take over from Svix, Convoy or Outpost: applications, endpoints, secrets, event types.",
    ),
    "alert": ("alert", "Alerts: notifications about what happens to endpoints."),
    "audit": ("audit", "The audit log: who changed what through the API and the portal."),
    "outbox": ("outbox", "The outbox: its table, and the rows that can never be delivered."),
    "listen": ("listen", "Relay whatever arrives in an inbox of Play to your own server."),
    "backup": ("backup", "Write the database and its secrets to one file, while the engine runs."),
    "restore": ("restore", "Put the database and its secrets from a backup in place, where there are none."),
    "copy": ("copy", "Move everything from the SQLite file of a stopped engine to a PostgreSQL database."),
    "doctor": ("doctor", "Check what the engine needs here, and say what to do about each finding."),
    "members": ("members", "Show which engines share the database, and how much of it each one holds."),
    "rotate": ("rotate", "Make a new secret, used from the next start of the engine."),
    "systemd": ("systemd", "Run as a service of systemd: print or install the unit."),
    "verify": ("verify", "Verify a webhook that was received, and say which mistake was made if it is not authentic."),
}
"""The module of each command, which has a function or group of that name, and its summary for the list."""

app = typer.Typer(
    name="webhook-engine",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Drawing frames needs a library that takes longer to load than everything else here.
    context_settings={"help_option_names": ["-h", "--help"]},
)


class _Later(TyperCommand):
    """A placeholder for a command, which imports it when it is called."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        module = COMMANDS[self.name or ""][0]
        found = getattr(import_module(f"webhook_engine.cli.{module}"), module)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False, context_settings=app.info.context_settings)
            alone.command(self.name)(found)
            found = alone
        return get_command(found).make_context(info_name, args, parent, **extra)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"webhook-engine {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    program: Annotated[
        str | None,
        typer.Option(
            "--app",
            metavar="MODULE:NAME",
            help="Take the configuration of the engine in a program; before the command.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Webhook Engine delivers webhooks reliably from one SQLite file."""
    from webhook_engine.cli.configured import program_given  # noqa: PLC0415 (only where a command is run)

    program_given(program, context.invoked_subcommand)


def _placeholder() -> None:
    """Never called: the real command replaces it."""


for _name, (_, _summary) in COMMANDS.items():
    # Also given as the short help, since a summary derived from the help would be cut.
    app.command(_name, cls=_Later, help=_summary, short_help=_summary)(_placeholder)
