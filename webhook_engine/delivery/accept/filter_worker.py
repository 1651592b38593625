"""The program of the filter process, which evaluates filters on large payloads; see :mod:`.filter_process`."""

from __future__ import annotations

import json
import resource
from functools import lru_cache

import msgspec

from webhook_engine.delivery.accept.payload_filter import PayloadFilter, passing, refusing

KEPT = 1_000
"""Filters in the cache."""
SPARE_BYTES = 128 * 1024 * 1024
MEMORY_A_BYTE = 64
"""Bytes of memory allowed for each byte of a payload; nested lists take 34 when parsed."""

_JOB = msgspec.msgpack.Decoder(tuple[bool, list[bytes], bytes])


def reply(job: bytes) -> bytes:
    """For each filter, whether the payload passes or which condition it does not meet, as JSON."""
    why, said, payload = _JOB.decode(job)
    _bound_memory(SPARE_BYTES + MEMORY_A_BYTE * len(payload))
    filters = [_ready(one) for one in said]
    return json.dumps(refusing(filters, payload) if why else passing(filters, payload)).encode()


def _bound_memory(size: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (size if most == resource.RLIM_INFINITY else min(size, most), most))


@lru_cache(KEPT)
def _ready(said: bytes) -> PayloadFilter:
    return PayloadFilter(json.loads(said))
