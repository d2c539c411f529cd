"""Which checkpoints of a trial are no longer wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from luthier.core.terms import Ref

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class Kept(msgspec.Struct, frozen=True, gc=False):
    """A checkpoint that is still there, with its rank: higher is better, None where the metric was missing."""

    ref: Ref
    rank: float | None = None


def unwanted(kept: Sequence[Kept], keep: int | None, spared: Collection[Ref | None] = ()) -> list[Ref]:
    """Return which of *kept* (oldest first) go when *keep* may stay; the latest and the *spared* always stay.

    Unranked checkpoints are the worst, older ones worse than newer ones.  NaN counts as unranked.

    >>> unwanted([Kept("a", 0.9), Kept("b", 0.1), Kept("c", 0.5)], 2)
    ['b']
    """
    if keep is None or len(kept) <= keep:
        return []
    *older, _latest = kept
    order = sorted((i for i in range(len(older)) if older[i].ref not in spared), key=lambda i: (_worth(older[i]), i))
    return [older[i].ref for i in sorted(order[: len(kept) - keep])]


def _worth(checkpoint: Kept) -> float:
    rank = checkpoint.rank
    return float("-inf") if rank is None or rank != rank else rank  # noqa: PLR0124 (NaN)
