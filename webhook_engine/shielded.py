"""Running steps that a cancellation must not interrupt, such as a commit and its announcement."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["shielded"]

T = TypeVar("T")


async def shielded(steps: Coroutine[Any, Any, T]) -> T:
    """Run steps to their end, even if the caller is cancelled.

    If the caller is cancelled meanwhile, ``CancelledError`` is raised after the steps have finished.
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
            task.exception()  # The caller was cancelled, which takes precedence over a failure.
        raise cancelled
    return task.result()
