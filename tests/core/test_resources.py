"""Resources as vectors."""

from __future__ import annotations

import pytest

from luthier.core.errors import BadArgument
from luthier.core.resources import checked, fits, shape, spelled


@pytest.mark.parametrize(
    ("request_", "free", "does"),
    [
        ({"cpu": 1}, {"cpu": 1}, True),
        ({"cpu": 1.001}, {"cpu": 1}, False),
        ({"cpu": 1, "gpu": 1}, {"cpu": 1}, False),
        ({"cpu": 1, "gpu": 1}, {"gpu": 1}, False),
        ({}, {}, True),
        ({"cpu": 0}, {}, True),
        ({"cpu": 0}, {"cpu": -1}, True),  # too much is taken: nothing still fits
        ({"gpu": 0.1}, {"gpu": 1 - 9 * 0.1}, True),
        ({"licence": 2}, {"licence": 1.5}, False),
    ],
)
def test_fits(request_, free, does):
    assert fits(request_, free) is does


def test_shape():
    assert shape({"gpu": 1, "cpu": 2}) == shape({"cpu": 2, "gpu": 1}) == (("cpu", 2), ("gpu", 1))
    assert shape({"cpu": 1}) != shape({"cpu": 2})


def test_checked():
    assert checked({"CPU": 2, "Gpu": 0.5, "Licence": 1, "tpu": 0}, "resources") == {
        "cpu": 2.0,
        "gpu": 0.5,
        "Licence": 1.0,
    }


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"cpu": -1}, r"resources\['cpu'\]=-1 .* finite number >= 0"),
        ({"cpu": float("nan")}, "finite number"),
        ({"cpu": float("inf")}, "finite number"),
        ({"cpu": "two"}, r"resources\['cpu'\]='two' cannot be used: give a number"),
        ({"cpu": True}, "a number"),
        ({1: 1}, "names such as"),
    ],
)
def test_checked_refuses(given, says):
    with pytest.raises(BadArgument, match=says):
        checked(given, "resources")


def test_spelled():
    assert spelled({"cpu": 2.0, "gpu": 0.25}) == "2 cpu, 0.25 gpu" and spelled({}) == "nothing"
