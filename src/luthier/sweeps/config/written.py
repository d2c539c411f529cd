"""Calls as users write them: checked where they are written."""

from __future__ import annotations

from typing import Any

from luthier.sweeps.calls import Call, decode, encode
from luthier.sweeps.domains import call_of, domain_of


def written(name: str, *args: Any) -> Call:
    """Return the call of the function *name* of search spaces with *args*.

    Raises:
        BadArgument: it cannot be called with these, or a file cannot say them.

    >>> written("tune.uniform", 0, 1)
    tune.uniform(0, 1)
    """
    found = Call(name, *args)
    decode(encode(found, "", call_of), "", domain_of)
    return found
