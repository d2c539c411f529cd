"""Which checkpoints go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.keep import Kept, unwanted
from luthier.core.terms import Ref


def kept(*ranks: float | None) -> list[Kept]:
    return [Kept(Ref(str(i)), rank) for i, rank in enumerate(ranks)]


@pytest.mark.parametrize(
    ("ranks", "keep", "gone"),
    [
        ((1, 2, 3), None, []),
        ((1, 2, 3), 3, []),
        ((3, 2, 1), 2, []),  # the latest stays although it is the worst, beside the two best
        ((3, 2, 1), 1, ["1"]),
        ((1, 3, 2, 0), 1, ["0", "2"]),
        ((None, None, None), 2, ["0"]),  # without ranks the newest stay
        ((1, None, 2), 2, ["1"]),
        ((float("nan"), 1, None), 1, ["0"]),
        ((None, float("nan"), None), 1, ["0", "1"]),
        ((1, float("nan"), 2), 2, ["1"]),
        ((5, 5, 5, 5), 2, ["0", "1"]),
        ((float("-inf"), -1e9, 0), 2, ["0"]),
        ((), 1, []),
    ],
)
def test_unwanted(ranks, keep, gone):
    assert unwanted(kept(*ranks), keep) == gone


def test_what_is_spared_stays():
    assert unwanted(kept(1, 2, 3), 1, [Ref("0")]) == ["1"]
    assert unwanted(kept(1, 2, 3), 2, [Ref("0")]) == []
    assert unwanted(kept(1, 2), 1, [Ref("0")]) == []


ranks = st.lists(st.none() | st.floats() | st.sampled_from([0.0, 1.0]), max_size=8)


@given(ranks, st.integers(1, 5), st.sets(st.integers(0, 8)))
def test_the_best_the_latest_and_the_spared_stay_and_no_others(ranks, keep, spared):
    have, safe = kept(*ranks), {Ref(str(i)) for i in spared}
    gone = unwanted(have, keep, safe)
    worth = [float("-inf") if k.rank is None or k.rank != k.rank else k.rank for k in have]
    for i, k in enumerate(have):
        better = sum((worth[j], j) > (worth[i], i) for j in range(len(have)))
        assert (k.ref in gone) == (better >= keep and i < len(have) - 1 and k.ref not in safe)
    assert len(set(gone)) == len(gone)
