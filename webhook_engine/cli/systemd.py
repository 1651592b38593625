"""``webhook-engine systemd``: the hardened service unit."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from webhook_engine.cli.terminal import CommandError, err

__all__ = ["systemd"]

UNIT_DIRECTORY = Path("/etc/systemd/system")
UNIT = "webhook-engine.service"
INSTANCES = "webhook-engine@.service"
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 (nothing is written there)
"""The directories that the unit hides from the service, by ``ProtectHome`` and ``PrivateTmp``."""

systemd = typer.Typer(help="Run as a service of systemd.", no_args_is_help=True, add_completion=False)

TEMPLATE = """\
[Unit]
Description=Webhook Engine{title}
Wants=network-online.target
After=network-online.target{after}

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} serve{options}
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec=30s
TimeoutStartSec=5min
TimeoutStopSec=90s
Restart=on-failure
RestartSec=2s

{intro}
DynamicUser=yes
StateDirectory=webhook-engine
StateDirectoryMode=0700
WorkingDirectory=%S/webhook-engine
{environment}
# Secrets, where the generated ones are not wanted: /etc/credstore/webhook-engine.main_secret and .jwt_secret.
LoadCredential=main_secret:webhook-engine.main_secret
LoadCredential=jwt_secret:webhook-engine.jwt_secret

LimitNOFILE=65536
UMask=0077
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProcSubset=pid
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
PrivateDevices=yes
PrivateTmp=yes
PrivateUsers=yes
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
CapabilityBoundingSet=
AmbientCapabilities=
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""

_ONE = {
    "title": "",
    "after": "",
    "intro": """\
# The database and what belongs to it are in /var/lib/webhook-engine. Settings may stand in the environment file.""",
    "environment": """\
Environment=WEBHOOK_ENGINE_STORE__URL=sqlite:///%S/webhook-engine/webhook-engine.db
EnvironmentFile=-/etc/webhook-engine/environment""",
}
"""The settings of the unit for one engine, with its own file."""

_SEVERAL = {
    "title": " on port %i",
    "after": " postgresql.service",
    "intro": """\
# One of several engines on one PostgreSQL: the instance is its port, webhook-engine@8071. The environment file of all
# has WEBHOOK_ENGINE_STORE__URL=postgresql://...; what one of them has for itself is in environment.8071. All of them
# are one user, and generated secrets are in /var/lib/webhook-engine for all.
User=webhook-engine""",
    "environment": """\
Environment=WEBHOOK_ENGINE_SERVER__LISTEN=127.0.0.1:%i
EnvironmentFile=/etc/webhook-engine/environment
EnvironmentFile=-/etc/webhook-engine/environment.%i""",
}

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="The TOML file that the service is to read.")
]
InstancesOption = Annotated[
    bool,
    typer.Option("--instances", help="The template for several engines on one PostgreSQL, one for each port."),
]


@systemd.command("print")
def print_unit(config: ConfigOption = None, instances: InstancesOption = False) -> None:
    """Print the service unit, and nothing else."""
    typer.echo(unit(config, instances=instances), nl=False)
    if problem := hidden(config):
        err.print(problem, soft_wrap=True)


@systemd.command()
def install(config: ConfigOption = None, instances: InstancesOption = False) -> None:
    """Write the service unit and have systemd read it; says what to run next."""
    path = UNIT_DIRECTORY / (INSTANCES if instances else UNIT)
    if config is not None and not config.exists():
        raise CommandError(f"{config} is not there; write it first, or leave --config out")
    path.write_text(unit(config, instances=instances), encoding="utf-8")
    systemctl = shutil.which("systemctl")
    if systemctl is not None and Path("/run/systemd/system").exists():
        subprocess.run([systemctl, "daemon-reload"], check=True)  # noqa: S603 (no user input)
    if problem := hidden(config):
        # Written nonetheless: a drop-in may make visible what this unit hides.
        err.print(f"wrote {path}, but {problem}", soft_wrap=True)
    else:
        name = "webhook-engine@8071 webhook-engine@8072" if instances else "webhook-engine"
        err.print(f"wrote {path}; now: systemctl enable --now {name}", soft_wrap=True)


def unit(config: Path | None, *, instances: bool = False) -> str:
    """The service unit for this installation, or the template for ``instances`` of it."""
    options = "" if config is None else f" --config {_escaped(str(config.absolute()))}"
    return TEMPLATE.format(program=_escaped(_program()), options=options, **(_SEVERAL if instances else _ONE))


def hidden(config: Path | None) -> str | None:
    """A text about a file that the service needs and the unit hides, if there is one."""
    needed = [Path(_program()), Path(sys.prefix), Path(sys.base_prefix), *([] if config is None else [config])]
    for path in needed:
        for place in (path.absolute(), path.resolve()):
            if any(place.is_relative_to(directory) for directory in HIDDEN):
                return (
                    f"{place} is hidden from the service by its unit (ProtectHome, PrivateTmp); install it where "
                    "services can read it: python3 -m venv /opt/webhook-engine, with the system's Python"
                )
    return None


def _program() -> str:
    beside = Path(sys.executable).with_name("webhook-engine")
    return str(beside) if beside.exists() else shutil.which("webhook-engine") or "/usr/bin/webhook-engine"


def _escaped(text: str) -> str:
    """Escape a text as one word of a command line in a unit."""
    plain = text.replace("%", "%%").replace("$", "$$")
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"' if " " in plain else plain
