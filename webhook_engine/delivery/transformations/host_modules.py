"""Loading the platform's modules with transformations, which the configuration names."""

from __future__ import annotations

from importlib import import_module

from webhook_engine.delivery.transformations.functions import Functions, named_in
from webhook_engine.errors import ConfigError

__all__ = ["register_from"]


def register_from(module: str, functions: Functions) -> None:
    """Register the transformations of a module; raises ``ConfigError`` if there are none."""
    what = f"transformations.modules: {module}"
    try:
        found = list(named_in(import_module(module)))
    except ImportError as error:
        raise ConfigError(f"{what}: it cannot be imported: {error}; its folder may have to be in PYTHONPATH") from error
    if not found:
        raise ConfigError(f"{what}: it has no function with the decorator webhook_engine.transformation")
    for name, function in found:
        functions.register(name, function)
