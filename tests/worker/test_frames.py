from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import NotStorable
from luthier.core.events import Exited, Reported
from luthier.core.terms import Outcome, TrialId
from luthier.store.values import Opaque
from luthier.testing.trainables import same
from luthier.worker import frames
from luthier.worker.assignment import Assignment
from luthier.worker.frames import HEAD, decode, decode_assignment, encode_assignment, encode_exit, encode_report

T = TrialId("t")
atoms = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
values = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner)
        | st.sets(st.integers())
    ),
    max_leaves=10,
)  # fmt: skip


def payload(frame: bytearray) -> bytes:
    assert int.from_bytes(frame[:HEAD], "little") == len(frame) - HEAD
    return bytes(frame[HEAD:])


@given(st.dictionaries(st.text() | st.integers() | st.just("\0"), values))
def test_whatever_is_reported_arrives(metrics):
    message = decode(payload(encode_report(Reported(T, 1, 0, metrics))))
    assert isinstance(message, Reported)
    assert same(message.metrics, metrics)


@given(st.dictionaries(st.text() | st.integers() | st.just("\0"), values))
def test_whatever_is_assigned_arrives(config):
    given_one = Assignment(T, 1, 0, config, {"cpu": 1.0}, "t", "", "", "e", "")
    arrived = decode_assignment(payload(encode_assignment(given_one)))
    assert same(arrived.config, config)
    assert arrived.resources == {"cpu": 1.0}


def test_lone_surrogates_arrive():
    for metrics in ({"x": "\ud800"}, {"\ud800": 1.0}, {"x": [{"y": "\ud800"}]}):
        message = decode(payload(encode_report(Reported(T, 1, 0, metrics))))
        assert isinstance(message, Reported)
        assert message.metrics == metrics


def test_numpy_scalars_arrive_as_the_numbers_that_they_are():
    metrics = {"a": np.float32(0.5), "b": np.int64(3), "c": np.float64("nan"), "d": np.arange(3)}
    message = decode(payload(encode_report(Reported(T, 1, 0, metrics))))
    assert isinstance(message, Reported)
    assert same({k: message.metrics[k] for k in "abc"}, {"a": 0.5, "b": 3, "c": math.nan})
    np.testing.assert_array_equal(message.metrics["d"], np.arange(3))


class Hidden:
    pass


def test_what_cannot_be_loaded_here_does_not_cost_the_report(monkeypatch):
    frame = payload(encode_report(Reported(T, 1, 0, {"x": 1.0, "thing": Hidden()})))
    monkeypatch.delattr("tests.worker.test_frames.Hidden")
    message = decode(frame)
    assert isinstance(message, Reported)
    assert message.metrics["x"] == 1.0
    assert isinstance(message.metrics["thing"], Opaque)


def test_what_cannot_be_pickled_is_named():
    with pytest.raises(NotStorable, match=r"metrics\['f'\] \(generator\) cannot be sent"):
        encode_report(Reported(T, 1, 0, {"f": (i for i in "x")}))


def test_an_endless_error_loses_its_middle_and_surrogates_their_strangeness():
    message = decode(payload(encode_exit(Exited(T, 1, Outcome.ERROR, "first\ud800" + "x" * (3 << 20) + "last"))))
    assert isinstance(message, Exited)
    assert message.error.startswith("first\\ud800x")
    assert message.error.endswith("xlast")
    assert "characters left out" in message.error
    assert len(message.error) < (2 << 20)


def test_every_verdict_is_one_byte():
    assert {len(byte) for byte in frames.VERDICTS} == {1}
    assert set(frames.VERDICTS.values()) == set(frames.VERDICT_BYTES)
