"""Imports modules of the host program, named on the command line."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from webhook_engine.cli.errors import UsageError

__all__ = ["host_module"]


def host_module(said: str, name: str) -> ModuleType:
    """Import a module, also from the working directory; raises ``UsageError``, whose text begins with ``said``."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except (ImportError, ValueError) as problem:
        raise UsageError(f"{said}: the module {name} cannot be imported: {problem}") from problem
