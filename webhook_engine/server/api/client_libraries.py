"""Which client libraries can read the new key in the response to a rotation of a secret. Pure.

They name themselves in ``user-agent``: ``svix-libs/VERSION/LANGUAGE``. What each makes of a response with a body was
read in its releases:

============  =============================  ========================================================
language      the call returns               with a body that it does not expect, it
============  =============================  ========================================================
java          nothing (up to 1.99, newest)   throws, having no class for it, with the key in the error
kotlin        nothing (up to 1.98, newest)   throws, since it reads a boolean, with the key in the error
csharp        nothing                        throws, since it reads a boolean
python        the key from 2.7 on            goes on
rust          the key (seen in 2.9)          goes on
javascript    nothing (up to 2.5, newest)    goes on
go            nothing (seen in 1.44)         goes on
ruby, php     nothing                        goes on
============  =============================  ========================================================

A library that returns the key fails without a body. So only those get none that are known to throw, and the whole first
series, which was made for a server that never sends one.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["reads_rotated_key"]

FIRST_WITH_KEY: Final = 2
"""The first series in which any library returns the key."""
THROW_IN_EVERY_SERIES: Final = frozenset({"java", "kotlin", "csharp"})

_LIBRARY = re.compile(r"svix-libs/v?(\d{1,6})[^/\s]*/([^/\s]+)", re.IGNORECASE).match


def reads_rotated_key(user_agent: str) -> bool:
    """Whether the client with this ``user-agent`` can read a response with the key; one that is no such library can."""
    library = _LIBRARY(user_agent)
    if library is None:
        return True
    return int(library[1]) >= FIRST_WITH_KEY and library[2].lower() not in THROW_IN_EVERY_SERIES
