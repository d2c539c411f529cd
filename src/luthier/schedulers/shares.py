"""How many CPUs and GPUs a trial may have of what others leave.

Resources come in bundles, each with an amount of ``CPU`` and ``GPU``.  What a trial began with is its base; what it has
beyond that was added, in steps of one size.  The rules are those of Ray Tune's ``DistributeResources`` (2.60).
"""

from __future__ import annotations

import math
from typing import TypeAlias

import msgspec

Bundle: TypeAlias = dict[str, float]
Bundles: TypeAlias = list[Bundle]

KINDS = ("CPU", "GPU")
_SLACK = 1e-9  # ten steps of 0.1 are one


def steps_in(free: Bundle, step: Bundle) -> int:
    """Return how often *step* fits into *free*; below zero where more is taken than there is.

    >>> steps_in({"CPU": 5, "GPU": 1}, {"CPU": 2}), steps_in({"CPU": -1}, {"CPU": 2})
    (2, -1)
    """
    # What a step has nothing of does not limit it; one of nothing at all cannot be (Growth refuses it).
    return min(math.floor(free.get(kind, 0.0) / step[kind] + _SLACK) for kind in KINDS if step.get(kind))


class Growth(msgspec.Struct, frozen=True):
    """How a trial grows and shrinks.

    Attributes:
        step: what is added at a time; something of it is more than zero.
        most: how many steps a trial may have, or None for any number.
        apart: whether each step is a bundle of its own, or all are added to the one bundle.
    """

    step: Bundle
    most: int | None = None
    apart: bool = False

    def added(self, now: Bundles, base: Bundles) -> Bundles:
        """Return what *now* has beyond *base*."""
        if self.apart:
            return now[len(base) :]
        have, had = (now or [{}])[0], (base or [{}])[0]
        return [{kind: have.get(kind, 0.0) - had.get(kind, 0.0) for kind in KINDS}]

    def moved(self, added: Bundles, free: Bundle, most: int | None = None) -> Bundles:
        """Return *added* and as much of *free* as there may be; less of it where *free* is below zero.

        Args:
            added: what a trial has beyond its base.
            free: what nobody holds.
            most: how many steps there may be, beside :attr:`most`.
        """
        count = steps_in(free, self.step)
        if not count:
            return added
        if count < 0:
            if self.apart:
                return added[:count]
            return [{k: max(added[0].get(k, 0.0) + count * self.step.get(k, 0.0), 0.0) for k in KINDS}]
        limits = [limit for limit in (self.most, most) if limit is not None]
        limit = min(limits, default=None)
        if self.apart:
            return [*added, *(dict(self.step) for _ in range(count))][:limit]
        more = {k: (added or [{}])[0].get(k, 0.0) + count * self.step.get(k, 0.0) for k in KINDS}
        if limit is not None:
            more = {k: min(amount, limit * self.step.get(k, 0.0)) for k, amount in more.items()}
        return [more]

    def together(self, base: Bundles, added: Bundles) -> Bundles:
        """Return *base* with *added*; what *base* has besides CPUs and GPUs stays."""
        if self.apart:
            return [bundle for bundle in [*base, *added] if any(bundle.values())]
        total = dict((base or [{}])[0])
        for kind, amount in (added or [{}])[0].items():
            total[kind] = total.get(kind, 0.0) + amount
        return [total]

    def fair(self, trials: int, base: Bundles, total: Bundle) -> int | None:
        """Return how many steps a trial may have where *trials* share *total* alike; None where nothing is left.

        One step after the other goes to the trials in turn, until too little is left or all have enough; the first has
        the most, and what it has is what each may have.
        """
        sums = {k: sum(bundle.get(k, 0.0) for bundle in base) for k in KINDS}
        left = {k: total.get(k, 0.0) - trials * sums[k] for k in KINDS}
        if not trials or any(left[k] + _SLACK < self.step.get(k, 0.0) for k in KINDS):
            return None
        turns = -(-steps_in(left, self.step) // trials)
        return turns if self.most is None else min(turns, self.most)

    def below_limit(self, added: Bundles) -> bool:
        """Return whether there is room below :attr:`most`."""
        if self.most is None:
            return True
        have = {k: sum(bundle.get(k, 0.0) for bundle in added) for k in KINDS}
        return any(have[k] + _SLACK < self.most * self.step.get(k, 0.0) for k in KINDS)
