"""Which checkpoints of a trial are no longer wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from luthier.core.terms import Ref

if TYPE_CHECKING:
    from collections.abc import Container, Sequence


class Kept(msgspec.Struct, frozen=True, gc=False):
    """A checkpoint that is still there, with its rank: higher is better, None where the metric was missing."""

    ref: Ref
    rank: float | None = None


def unwanted(kept: Sequence[Kept], keep: int | None, spared: Container[Ref] = ()) -> list[Ref]:
    """Return which of *kept* (oldest first) go where the *keep* best are to stay.

    The latest and the *spared* stay as well, beside the best: with ``keep=1`` the best one and the latest one.  (So it
    is in Ray Tune.)  Of equals the newer is the better; unranked ones are the worst, and NaN counts as unranked.

    >>> unwanted([Kept("a", 0.9), Kept("b", 0.1), Kept("c", 0.5)], 1)
    ['b']
    """
    if keep is None or len(kept) <= keep:
        return []
    worst_first = sorted(range(len(kept)), key=lambda i: (_worth(kept[i]), i))
    latest = len(kept) - 1
    gone = sorted(i for i in worst_first[: len(kept) - keep] if i != latest)
    return [kept[i].ref for i in gone if kept[i].ref not in spared]


def _worth(checkpoint: Kept) -> float:
    rank = checkpoint.rank
    return float("-inf") if rank is None or rank != rank else rank  # noqa: PLR0124 (NaN)
