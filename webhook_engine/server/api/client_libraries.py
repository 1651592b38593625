"""Which client libraries can read the new key in the response to a secret rotation. Pure.

They identify themselves in ``user-agent``: ``svix-libs/VERSION/LANGUAGE``. What each does with a response body was read
in its releases:

============  =============================  ========================================================
language      the call returns               with a body that it does not expect, it
============  =============================  ========================================================
java          nothing (up to 1.99, newest)   throws, having no class for it, with the key in the error
kotlin        nothing (up to 1.98, newest)   throws, since it reads a boolean, with the key in the error
csharp        nothing                        throws, since it reads a boolean
python        the key from 2.7 on            ignores it
rust          the key (seen in 2.9)          ignores it
javascript    nothing (up to 2.5, newest)    ignores it
go            nothing (seen in 1.44)         ignores it
ruby, php     nothing                        ignores it
============  =============================  ========================================================

A library that returns the key fails without a body. So a body is withheld only from the libraries that are known to
throw, and from all of the first series, which was made for a server that never sends one.
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
    """Whether the client with this ``user-agent`` can read a response with the key; other clients can."""
    library = _LIBRARY(user_agent)
    if library is None:
        return True
    return int(library[1]) >= FIRST_WITH_KEY and library[2].lower() not in THROW_IN_EVERY_SERIES
