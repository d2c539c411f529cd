from __future__ import annotations

import enum
import math
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core import events as ev
from luthier.core.packed import packed
from luthier.core.state import ExperimentState, evolve
from luthier.core.terms import Label, Outcome, Status, TrialId, WorkerId

W = WorkerId("w0")
CONFIG = {"lr": 0.1, "layers": [{"units": 8}, {"units": 10}], "name": "net", "bias": True, "seed": None}
METRICS = {"loss": math.inf, "step": 3, "by_class": {"a": 0.5}}


class Word(str):
    __slots__ = ()


class Colour(enum.StrEnum):
    RED = "red"


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or a != a  # noqa: PLR0124 (NaN)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
plain_dict = st.dictionaries(st.text(max_size=4), plain, max_size=4)


@given(config=plain_dict, metrics=plain_dict)
def test_what_is_packed_comes_back_as_it_was(config, metrics):
    one = packed(config, metrics, {})
    if one is not None:
        assert same(one.config, config)
        assert same(one.metrics, metrics)


@pytest.mark.parametrize(
    "value",
    [(1, 2), {1}, b"x", Colour.RED, Word("x"), OrderedDict(a=1), {1: 2}, {Word("k"): 1}, 1 << 70, "\ud800", object()],
    ids=lambda value: repr(value).partition(" object at")[0],
)
def test_what_would_not_come_back_as_it_was_is_left_alone(value):
    assert packed({"x": value}, {}, {}) is None
    assert packed({}, {"x": [value]}, {}) is None


def test_dicts_of_other_classes_are_left_alone():
    assert packed(OrderedDict(a=1), {}, {}) is None
    assert packed({}, OrderedDict(a=1), {}) is None


def test_names_are_kept_once():
    known: dict[Any, Any] = {}
    first, second = packed({"a": 1}, {"b": 2}, known), packed({"a": 3}, {"b": 4}, known)
    assert first is not None
    assert second is not None
    assert first.keys is second.keys
    assert (second.config, second.metrics) == ({"a": 3}, {"b": 4})


def ended(*, count=1, config=CONFIG, metrics=METRICS):
    s = ExperimentState()
    evolve(s, ev.WorkerJoined(W, {"cpu": 1.0}))
    for n in range(count):
        t = TrialId(f"t{n}")
        evolve(s, ev.Proposed(t, n, dict(config), {"cpu": 1.0}, Label(f"run_{n}", f"run_{n}", f"{n}")))
        evolve(s, ev.Launched(t, 1, W, dict(config), {"cpu": 1.0}))
        evolve(s, ev.Reported(t, 1, 0, dict(metrics)))
        evolve(s, ev.Exited(t, 1, Outcome.FINISHED))
        evolve(s, ev.Ended(t, Status.DONE))
    return s


def test_a_trial_that_has_ended_says_what_it_said_before():
    t = ended().trials[TrialId("t0")]
    assert same(t.config, CONFIG)
    assert same(t.metrics, METRICS)
    assert t.config is not t.config  # whoever changes what he was given changes nothing here


def test_a_trial_that_cannot_be_packed_keeps_what_it_has():
    t = ended(config={"layers": (1, 2)}).trials[TrialId("t0")]
    assert t.config == {"layers": (1, 2)}
    assert t.config is t.config
    assert t.metrics == METRICS


def test_a_trial_that_runs_again_has_its_metrics():
    s = ended()
    t = s.trials[TrialId("t0")]
    evolve(s, ev.Requeued(t.id, {"lr": 0.2}, None, {"cpu": 1.0}))
    assert (t.config, t.metrics) == ({"lr": 0.2}, METRICS)
    evolve(s, ev.Launched(t.id, 2, W, {"lr": 0.2}, {"cpu": 1.0}))
    evolve(s, ev.Reported(t.id, 2, 0, {"loss": 1.0}))
    assert (t.config, t.metrics) == ({"lr": 0.2}, {"loss": 1.0})


def test_trials_that_have_ended_share_what_is_the_same():
    first, second = ended(count=2).trials.values()
    assert first.resources is second.resources == {"cpu": 1.0}
    assert first.label.name is first.label.folder


def test_resources_keep_their_types():
    s = ended()
    t = TrialId("t1")
    evolve(s, ev.Proposed(t, 1, {}, {"cpu": 1}))
    evolve(s, ev.Ended(t, Status.STOPPED))
    assert repr(s.trials[t].resources) == "{'cpu': 1}"
