"""What asks filters about large payloads, in a process that the engine keeps; see :mod:`.filter_process`."""

from __future__ import annotations

import json
import resource
from functools import lru_cache

import msgspec

from webhook_engine.delivery.accept.payload_filter import PayloadFilter, passing, refusing

KEPT = 1_000
"""Filters that are ready."""
SPARE_BYTES = 128 * 1024 * 1024
MEMORY_A_BYTE = 64
"""Of a payload; as lists in lists it takes 34 when it is read."""

_JOB = msgspec.msgpack.Decoder(tuple[bool, list[bytes], bytes])


def reply(job: bytes) -> bytes:
    """For each filter whether the payload passes, or the condition that does not hold, as JSON."""
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
