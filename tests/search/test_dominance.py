"""Pareto fronts and crowding."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from luthier.search.dominance import best_of, crowding, front

points = st.integers(1, 3).flatmap(
    lambda d: st.lists(st.tuples(*[st.integers(0, 4).map(float)] * d), min_size=1, max_size=25)
)


def dominated(p, by):
    return all(b <= a for a, b in zip(p, by, strict=True)) and by != p


@given(points)
def test_a_front_is_what_nobody_dominates(found):
    assert front(np.array(found)).tolist() == [not any(dominated(p, q) for q in found) for p in found]


@given(points, st.integers(1, 25))
def test_the_best_are_of_the_first_fronts(found, count):
    best = best_of(dict(enumerate(found)), count)
    assert len(best) == len(set(best)) == min(count, len(found))
    for k in set(range(len(found))) - set(best):
        assert not any(dominated(found[b], found[k]) for b in best)


def test_crowding_is_the_box_between_neighbours():
    assert crowding(np.array([[0.0, 4.0], [1.0, 2.0], [4.0, 0.0]])).tolist() == [np.inf, 2.0, np.inf]
    assert crowding(np.array([[1.0, 1.0], [1.0, 1.0]])).tolist() == [np.inf, np.inf]


def test_ends_go_first():
    assert best_of({1: (0.0, 4.0), 2: (1.9, 2.1), 3: (2.0, 2.0), 4: (4.0, 0.0)}, 3)[:2] == [1, 4]


def test_one_goal_is_an_order():
    assert best_of({5: (3.0,), 6: (1.0,), 7: (2.0,)}, 2) == [6, 7]
    assert best_of({5: (3.0,)}, 99) == [5]
