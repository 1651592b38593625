"""Steps that are not cut off between one another: a commit and its announcement, or all that stopping takes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["shielded"]

T = TypeVar("T")


async def shielded(steps: Coroutine[Any, Any, T]) -> T:
    """Run steps that must not stop half-way, such as a commit and its announcement.

    If the caller is cancelled meanwhile, the steps are finished first, and then the cancellation goes on.
    """
    task = asyncio.create_task(steps)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # The cancellation is what the caller asked for, so it goes before a failure.
        raise cancelled
    return task.result()
