"""HyperBand as BOHB wants it: one bracket after the other, the one that halves most first.

Falkner, Klein, Hutter: "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML 2018, section 4 and
Algorithm 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.schedulers.hyperband import Hyperband

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luthier.schedulers.bracket import Bracket, Shape


class HyperbandForBohb(Hyperband):
    """HyperBand that begins with many short trials, from which a searcher learns before the long ones are proposed.

    It differs from :class:`~luthier.schedulers.hyperband.Hyperband` in two things: in each band the bracket that
    halves most is filled first, and trials of the bracket that was opened first go first, however complete it is.

    A searcher hears every result before a trial is paused by it.  :attr:`budgets` are the times at which trials are
    compared: a model of budget ``b`` learns from the first result of each trial whose time is ``b`` or more.

    >>> HyperbandForBohb(max_t=9, reduction_factor=3)
    HyperbandForBohb(9 from 1, 5 from 3, 3 from 9)
    """

    def _plan(self) -> list[Shape]:
        return super()._plan()[::-1]

    def _in_turn(self) -> Iterator[Bracket]:
        return (bracket for bracket in self._brackets.values() if bracket.ready)
