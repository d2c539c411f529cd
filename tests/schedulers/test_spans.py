"""Spans of time, and means, against what is plain."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.schedulers.running_mean import RunningMean
from luthier.schedulers.spans import Spans, kth

moments = st.one_of(st.integers(0, 12), st.integers(0, 40).map(lambda n: n / 10), st.floats(0, 1e6))
numbers = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(-1e9, 1e9))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(moments, moments, numbers), max_size=150), st.lists(st.tuples(moments, numbers)), st.data())
def test_spans_are_what_a_list_of_them_would_be(given_spans, asked, data):
    spans, plain = Spans(), []
    for start, end, number in given_spans:
        if start < end:
            spans.add(float(start), float(end), number)
            plain.append((float(start), float(end), number))
        if plain and data.draw(st.integers(0, 9)) == 0:
            spans.remove(*plain.pop(data.draw(st.integers(0, len(plain) - 1))))
    ends = [(time, number) for start, end, number in plain[:5] for time in (start, end)]
    for time, number in [*asked, *ends]:
        there = sorted(value for start, end, value in plain if start <= time < end)
        assert spans.below(time, number) == (sum(value < number for value in there), len(there))
        rows = list(spans.rows(time))
        assert all(list(row) == sorted(row) for row in rows)
        assert [kth(rows, k) for k in range(len(there))] == there


def test_steps_that_are_shared_need_no_deep_tree():
    for unit in (1.0, 0.1, 1 / 3, 7.3e8):
        spans = Spans()
        for step in range(64):
            for _ in range(50):
                spans.add(step * unit, (step + 1) * unit, 0.5)
        deepest, cells = 0, [(spans._root, 1)]
        while cells:
            cell, depth = cells.pop()
            deepest = max(deepest, depth)
            if cell.left is not None:
                cells += [(cell.left, depth + 1), (cell.right, depth + 1)]
        assert deepest <= 12, unit
        assert spans.below(10.5 * unit, 0.6) == (50, 50)


@pytest.mark.parametrize("kind", ["normal", "tenths", "huge"])
def test_means_are_numpy_s_to_the_bit(kind):
    rng = np.random.default_rng(3)
    drawn = {"normal": rng.normal(size=700), "tenths": rng.integers(1, 9, 700) / 10, "huge": rng.lognormal(0, 99, 700)}
    mean = RunningMean()
    for count, number in enumerate(drawn[kind].tolist(), 1):
        assert mean.add(number) == np.mean(drawn[kind][:count]) == mean.last


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 300))
def test_the_mean_of_equals_is_that(number, count):
    assert math.isinf(sum([number] * count)) or RunningMean([number] * count).last == number


def test_means_of_what_is_not_finite():
    with np.errstate(all="raise"):
        for count in (1, 5, 200):
            assert RunningMean([1.0, math.inf] * count).last == math.inf
            assert math.isnan(RunningMean([math.inf, -math.inf] * count).last)
            assert math.isnan(RunningMean([math.nan, 1.0] * count).last)
    assert math.isnan(RunningMean().last) and RunningMean([1.7e308, 1.7e308]).last == math.inf
