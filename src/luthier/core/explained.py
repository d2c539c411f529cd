"""Who chooses a config, of several who could: what a searcher says of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luthier.core.policy import Searcher
    from luthier.core.terms import Why


def explained(searcher: Searcher, number: int) -> Why | None:
    """Return by whom and why *searcher* chooses the *number*-th config; None where it does not say.

    >>> from luthier.search.fixed import Fixed
    >>> explained(Fixed([{"x": 1}]), 0)
    """
    explain = getattr(searcher, "explain", None)
    found: Why | None = None if explain is None else explain(number)
    return found
