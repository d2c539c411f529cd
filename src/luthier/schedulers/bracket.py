"""Brackets: sets of trials that are halved together, rung by rung."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from luthier.core.goal import Score

if TYPE_CHECKING:
    from luthier.core.terms import TrialId


class Shape(NamedTuple):
    """How a bracket is planned.

    Attributes:
        s: how many halvings there are; what papers number brackets by.
        sizes: how many trials each rung is for, the first one's first.
        milestones: time at which the trials of each rung are compared; those of the last have had enough there.
        work: units of time that the whole bracket is expected to take; brackets are compared by their share of it.
    """

    s: int
    sizes: tuple[int, ...]
    milestones: tuple[int, ...]
    work: int


def most_halvings(max_t: float, eta: float) -> int:
    """Return ``s_max``, the logarithm of *max_t* to the base *eta*, rounded.

    >>> most_halvings(81, 3)
    4
    """
    return round(math.log(max_t) / math.log(eta))


def shape_of(s: int, max_t: float, eta: float) -> Shape | None:
    """Return the shape of bracket *s*, or None where its first rung would be before time 1.

    It starts with ``n = ceil((s_max + 1) / (s + 1) * eta**s)`` trials and ``r = floor(max_t / eta**s)`` units of time
    (lines 1 to 3 of Algorithm 1 in Li et al., JMLR 2018).  At a rung ``ceil(n / eta)`` stay, for ``floor(r * eta)``,
    at least one more and at most *max_t*.

    >>> shape_of(2, 81, 3)
    Shape(s=2, sizes=(15, 5, 2), milestones=(9, 27, 81), work=414)
    >>> shape_of(4, 30, 3) is None
    True
    """
    try:
        n, r = math.ceil((most_halvings(max_t, eta) + 1) / (s + 1) * eta**s), int(max_t / eta**s)
    except OverflowError:  # a power beyond all floats
        return None
    if r < 1:
        return None
    sizes, milestones, work, share, longest = [n], [r], n * r, r, max_t - r
    for _ in range(s):
        n, r = math.ceil(n / eta), int(min(max(r * eta, r + 1), max_t))
        share = int(min(share * eta, longest))
        sizes.append(n)
        milestones.append(r)
        work += n * share
    return Shape(s, tuple(sizes), tuple(milestones), work)


class Came(NamedTuple):
    """How a trial came to a rung; trials are ranked by score, then by number.

    Attributes:
        score: what it is compared by; lower is better.
        number: of the trial.
        time: how far it was.
    """

    score: Score
    number: int
    time: float


class Bracket:
    """A set of trials on their way through the rungs of a shape.

    Attributes:
        shape: what is planned.
        band: how many rounds of brackets there were before.
        opened: how many brackets there were before.
        rung: which rung its trials are at, from 0.
        size: how many trials the rung is for: those that joined, then the share that stayed of them.
        full: whether nobody is to join any more.
        live: its trials that were neither dropped nor ended, and their numbers.
        came: those of them that came to the rung.
        ready: those that wait for a worker or have not reported since.

    >>> bracket = Bracket(shape_of(1, 9, 3), band=0, opened=1)
    >>> for number, trial in enumerate("abcd"):
    ...     bracket.join(trial, number)
    >>> bracket.full, bracket.milestone
    (False, 3)
    """

    __slots__ = ("_times", "band", "came", "full", "live", "opened", "ready", "rung", "shape", "size", "spent")

    def __init__(self, shape: Shape, band: int, opened: int) -> None:
        self.shape, self.band, self.opened = shape, band, opened
        self.rung, self.size, self.full = 0, 0, False
        self.live: dict[TrialId, int] = {}
        self.came: dict[TrialId, Came] = {}
        self.ready: dict[TrialId, None] = {}
        self.spent = 0.0
        self._times: dict[TrialId, float] = {}

    @property
    def milestone(self) -> int:
        """Time at which the trials of the present rung are compared."""
        return self.shape.milestones[self.rung]

    @property
    def last(self) -> bool:
        """Whether the present rung is the last: whoever comes there is done."""
        return self.rung == self.shape.s

    @property
    def gathered(self) -> bool:
        """Whether all its trials came to the rung (and there are some), so that they can be compared."""
        return bool(self.came) and len(self.came) == len(self.live)

    @property
    def completeness(self) -> float:
        """How much of the planned work is done, from 0 to 1."""
        return 1.0 if self.last and self.gathered else min(self.spent / self.shape.work, 1.0)

    def join(self, trial: TrialId, number: int) -> None:
        """Take in *trial*, which waits for a worker."""
        self.live[trial] = number
        self.ready[trial] = None
        self.size += 1
        self.full = self.size == self.shape.sizes[0]

    def drop(self, trial: TrialId) -> None:
        """Go on without *trial*."""
        self.live.pop(trial, None)
        self.came.pop(trial, None)
        self.ready.pop(trial, None)

    def hear(self, trial: TrialId, now: float) -> None:
        """Note how far *trial* is; it goes back where a trial starts anew."""
        self.ready.pop(trial, None)
        self.spent += now - self._times.get(trial, 0.0)
        self._times[trial] = now

    def rank(self) -> list[TrialId]:
        """Return who came to the rung, the best first."""
        return sorted(self.came, key=self.came.__getitem__)

    def climb(self, eta: float) -> int:
        """Go on to the next rung; return how many trials it is for."""
        self.rung += 1
        self.size = math.ceil(self.size / eta)
        return self.size
