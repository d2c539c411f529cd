from __future__ import annotations

import threading
from collections import OrderedDict
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import NotStorable
from luthier.worker.metrics import is_scalar, plain


class Tensor:
    """What torch and jax have in common."""

    def __init__(self, value, shape=()):
        self.value, self.shape = value, shape

    def item(self):
        return self.value


@pytest.mark.parametrize(
    "value", [np.float64(1.5), np.float32(1.5), np.float16(1.5), np.array(1.5), np.longdouble(1.5), Tensor(1.5)]
)
def test_numbers_become_pythons(value):
    for got in (plain({"x": value})["x"], plain({"n": {"x": value}})["n"]["x"], plain({"l": [value]})["l"][0]):
        assert type(got) is float
        assert got == 1.5


def test_other_scalars():
    got = plain({"i": np.int64(2), "b": np.bool_(False), "s": np.str_("x"), np.str_("k"): 1, 3: 4, None: 5})
    assert got == {"i": 2, "b": False, "s": "x", "k": 1, "3": 4, "None": 5}
    assert [type(v) for v in got.values()][:3] == [int, bool, str]
    assert all(type(k) is str for k in got)


def test_containers_are_the_trials_own():
    array = np.arange(3)
    given_metrics = {"d": OrderedDict(a={1: 2}), "l": [1, [2]], "t": (1, {"x": 2}), "a": array}
    got = plain(given_metrics)
    given_metrics["l"][1].append(3)
    array[0] = 99
    assert got["d"] == {"a": {"1": 2}}
    assert type(got["d"]) is dict
    assert got["l"] == [1, [2]]
    assert got["t"] == (1, {"x": 2})
    assert got["a"].tolist() == [0, 1, 2]


def test_other_objects_pass_if_they_can_be_stored():
    assert plain({"x": Decimal("1.5"), "s": {1, 2}})["x"] == Decimal("1.5")
    with pytest.raises(NotStorable, match="the_lock"):
        plain({"n": {"the_lock": threading.Lock()}})
    with pytest.raises(NotStorable):
        plain({"a": np.array([threading.Lock()], dtype=object)})


@pytest.mark.parametrize(
    ("value", "size"), [(np.zeros(1 << 18), "2.0 MiB"), ("x" * (3 << 20), "3.0 MiB"), (b"x" * (2 << 20), "2.0 MiB")]
)
def test_large_metrics_are_named_once(value, size):
    with pytest.warns(UserWarning, match="checkpoint") as caught:
        plain({"small": "x" * 1000, "images": {"first": value}})
    (warning,) = caught
    plain({"images": {"first": value}})  # once is enough
    assert "'images/first'" in str(warning.message)
    assert size in str(warning.message)


def test_scalars():
    for yes in (1, 0.5, True, np.float32(1), np.array(1), Tensor(1)):
        assert is_scalar(yes)
    for no in ("1", None, [1], np.array([1]), Tensor(1, (1,)), np.str_("x"), object()):
        assert not is_scalar(no)


atoms = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
values = st.recursive(atoms, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner))


@given(st.dictionaries(st.text(), values))
def test_plain_values_stay_as_they_are(metrics):
    assert plain(metrics) == metrics
    assert plain(plain(metrics)) == metrics


def test_numbers_of_somebody_elses_class_become_plain_ones():
    class Loss(float):
        pass

    result = plain({"loss": Loss(0.5)})
    assert (result, type(result["loss"])) == ({"loss": 0.5}, float)


def test_what_never_ends_is_refused_by_name():
    endless: dict[str, object] = {}
    endless["again"] = [endless]
    with pytest.raises(NotStorable, match="'tree' cannot be stored: it is nested too deeply, or holds itself"):
        plain({"loss": 1.0, "tree": endless})
