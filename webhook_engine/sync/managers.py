"""The managers without ``await``, derived from the asynchronous ones. Their types are in ``managers.pyi``.

A manager's coroutine functions become functions that wait, and its asynchronous generators become generators; names,
arguments, results, errors and descriptions are the same.
"""

from __future__ import annotations

import functools
import inspect

__all__ = ["SyncManagers"]


class SyncManagers:
    """The managers of one organization, under the same names as in ``Organization``."""

    def __init__(self, organization, background) -> None:
        self.id = organization.id
        for name, manager in managers_of(organization).items():
            setattr(self, name, _derived(type(manager))(manager, background))


def managers_of(organization) -> dict[str, object]:
    """The managers of an organization, by name."""
    return {
        name: value
        for name, value in vars(organization).items()
        if not name.startswith("_") and public_methods(type(value))
    }


def public_methods(kind) -> dict[str, object]:
    """The asynchronous methods of a manager's class."""
    return {
        name: member
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and (inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member))
    }


class _Derived:
    def __init__(self, manager, background) -> None:
        self._manager = manager
        self._background = background


@functools.cache
def _derived(kind):
    """The class without ``await`` for an asynchronous manager's class."""
    body = {name: _waiting(name, member) for name, member in public_methods(kind).items()}
    return type(kind.__name__, (_Derived,), {"__doc__": kind.__doc__, "__module__": __name__, **body})


def _waiting(name, member):
    if inspect.isasyncgenfunction(member):

        def method(self, *args, **kwargs):
            return self._background.walk(getattr(self._manager, name)(*args, **kwargs))
    else:

        def method(self, *args, **kwargs):
            return self._background.run(getattr(self._manager, name)(*args, **kwargs))

    functools.update_wrapper(method, member, assigned=("__name__", "__qualname__", "__doc__"))
    del method.__wrapped__
    method.__signature__ = inspect.signature(member)
    return method
