"""Libraries that trackers are reached by: there, or what to install."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from luthier.core.errors import MissingLibrary


def demand(who: str, module: str, extra: str) -> None:
    """See to it that *module* is installed; it is imported later, by whom it does not hold up.

    Args:
        who: what needs it.
        module: its name, as one imports it.
        extra: the extra of Luthier's that brings it.

    Raises:
        MissingLibrary: it is not installed.

    >>> demand("The answer", "not_there", "answers")
    Traceback (most recent call last):
    luthier.core.errors.MissingLibrary: The answer needs not_there: pip install 'luthier[answers]'
    """
    there = sys.modules[module] is not None if module in sys.modules else find_spec(module) is not None
    if not there:
        raise MissingLibrary(who, module, extra)
