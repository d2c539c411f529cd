"""Which trials are best where there are several goals: by Pareto fronts, and by how much room they have within one.

Deb, Pratap, Agarwal, Meyarivan: "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE Transactions on
Evolutionary Computation 6 (2), 2002, sections III.A (fronts) and III.B (crowding distance).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from luthier.core.goal import Score

    Points = npt.NDArray[np.float64]


def best_of(vectors: Mapping[int, tuple[Score, ...]], count: int) -> list[int]:
    """Return the keys of the *count* best of *vectors* (lower is better in each place), best front first.

    Within a front those with more room around them go first.

    >>> best_of({7: (0, 3), 8: (1, 1), 9: (2, 2), 10: (3, 0)}, 3)
    [7, 10, 8]
    """
    import numpy as np

    keys = np.fromiter(vectors, dtype=np.intp)
    points = np.array(list(vectors.values()), dtype=np.float64)
    chosen: list[int] = []
    left = np.arange(len(points))
    while len(chosen) < count and len(left):
        on_front = front(points[left])
        members = left[on_front]
        room = crowding(points[members])
        order = np.lexsort((keys[members], -room))
        chosen += keys[members[order]].tolist()
        left = left[~on_front]
    return chosen[:count]


def front(points: Points) -> npt.NDArray[np.bool_]:
    """Return which of *points*, one per row, no other dominates: none is as good everywhere and better somewhere.

    >>> import numpy as np
    >>> front(np.array([[0.0, 3.0], [1.0, 1.0], [2.0, 2.0]])).tolist()
    [True, True, False]
    """
    import numpy as np

    order = np.lexsort(points.T[::-1])
    on_front = np.zeros(len(points), dtype=bool)
    if points.shape[1] == 2:  # noqa: PLR2004 (two goals: one pass)
        second = points[order, 1]
        best = np.minimum.accumulate(second)
        better = np.concatenate(([True], second[1:] < best[:-1]))
        twin = np.concatenate(([False], (points[order[1:]] == points[order[:-1]]).all(axis=1)))
        keep = better.copy()
        for k in np.flatnonzero(twin):
            keep[k] = keep[k - 1]
        on_front[order[keep]] = True
        return on_front
    kept: list[int] = []
    for k in order:  # nobody later dominates somebody earlier
        others = points[kept]
        if not ((others <= points[k]).all(axis=1) & (others < points[k]).any(axis=1)).any():
            kept.append(k)
    on_front[kept] = True
    return on_front


def crowding(points: Points) -> npt.NDArray[np.float64]:
    """Return how much room each of *points* has: the sides of the box between its neighbours; inf at the ends.

    >>> import numpy as np
    >>> crowding(np.array([[0.0, 3.0], [1.0, 1.0], [3.0, 0.0]])).tolist()
    [inf, 2.0, inf]
    """
    import numpy as np

    room = np.zeros(len(points))
    for column in points.T:
        order = np.argsort(column, kind="stable")
        width = column[order[-1]] - column[order[0]]
        room[order[[0, -1]]] = np.inf
        if width > 0 and np.isfinite(width):
            room[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / width
    return room
