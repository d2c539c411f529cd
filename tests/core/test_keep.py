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
        ((3, 2, 1), 2, ["1"]),  # the latest stays although it is the worst
        ((3, 2, 1), 1, ["0", "1"]),
        ((None, None, None), 2, ["0"]),  # without ranks the newest stay
        ((1, None, 2), 2, ["1"]),
        ((1, float("nan"), 2), 2, ["1"]),
        ((5, 5, 5, 5), 2, ["0", "1"]),
        ((float("-inf"), -1e9, 0), 2, ["0"]),
        ((), 1, []),
    ],
)
def test_unwanted(ranks, keep, gone):
    assert unwanted(kept(*ranks), keep) == gone


def test_what_is_spared_stays():
    assert unwanted(kept(1, 2, 3), 1, [Ref("0"), None]) == ["1"]
    assert unwanted(kept(1, 2, 3), 2, [Ref("0")]) == ["1"]
    assert unwanted(kept(1, 2), 1, [Ref("0")]) == []


ranks = st.lists(st.none() | st.floats(), max_size=8)


@given(ranks, st.integers(1, 5), st.sets(st.integers(0, 8)))
def test_as_many_as_wanted_stay_and_the_latest_among_them(ranks, keep, spared):
    have = kept(*ranks)
    gone = unwanted(have, keep, [Ref(str(i)) for i in spared])
    stay = [k for k in have if k.ref not in gone]
    most = max(keep, len({k.ref for k in have[:-1]} & {str(i) for i in spared}) + 1)
    assert len(set(gone)) == len(gone) and min(len(have), keep) <= len(stay) <= most
    assert not have or have[-1] in stay
    worth = [float("-inf") if k.rank is None or k.rank != k.rank else k.rank for k in have]
    for i, a in enumerate(have[:-1]):
        for j, b in enumerate(have[:-1]):
            if a.ref in gone and b.ref not in gone and b.ref not in {str(n) for n in spared}:
                assert (worth[i], i) < (worth[j], j)
