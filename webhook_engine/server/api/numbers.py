"""Numbers in bodies on the wire."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

__all__ = ["Uint16"]

Uint16 = Annotated[int, Meta(ge=0, le=65_535)]
"""An unsigned integer of 16 bits: rates, versions."""
