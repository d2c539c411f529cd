from __future__ import annotations

import pickle

import pytest

from luthier.core.errors import BadArgument
from luthier.worker.bundles import PlacementGroupFactory
from luthier.worker.resources import request_of, with_resources
from luthier.worker.trainable import Trainable


class Steps(Trainable):
    def step(self):
        return {"done": True}


class Asking(Steps):
    @classmethod
    def default_resource_request(cls, config):
        return PlacementGroupFactory([{"CPU": config["n"]}, {"GPU": 1}])


def trainable(config):
    return config["x"]


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"cpu": 2, "gpu": 0.5, "licence": 1}, {"cpu": 2.0, "gpu": 0.5, "licence": 1.0}),
        ({"CPU": 2, "gpu": 0}, {"cpu": 2.0}),
        ({"cpu": 1, "custom_resources": {"a": 2}}, {"cpu": 1.0, "a": 2.0}),
        (PlacementGroupFactory([{"CPU": 1}, {"CPU": 2, "GPU": 1}]), {"cpu": 3.0, "gpu": 1.0}),
        ({}, {}),
    ],
)
def test_resources(given, asked):
    assert request_of(with_resources(trainable, given)) == asked
    assert with_resources(trainable, given)({"x": 3}) == 3
    assert request_of(trainable) is None
    assert request_of(with_resources(Steps, given)) == asked
    by_config = request_of(with_resources(trainable, lambda config: given))
    assert callable(by_config)
    assert by_config({}) == asked


def test_functions_of_the_config():
    for thing in (trainable, Steps):
        asks = request_of(with_resources(thing, lambda config: {"cpu": config["n"]}))
        assert callable(asks)
        assert asks({"n": 3}) == {"cpu": 3.0}
        with pytest.raises(BadArgument, match="n"):
            asks({"n": -3})


def test_classes_may_ask_themselves():
    asks = request_of(Asking)
    assert callable(asks)
    assert asks({"n": 2}) == {"cpu": 2.0, "gpu": 1.0}
    assert request_of(with_resources(Asking, {"cpu": 7})) == {"cpu": 7.0}
    assert request_of(Steps) is None
    assert with_resources(Asking, {"cpu": 7}).__name__ == "Asking"


@pytest.mark.parametrize(
    "given", [{"cpu": -1}, {"cpu": "2"}, {"cpu": float("nan")}, {1: 2}, 3, "cpu", None, [{"cpu": 1}]]
)
def test_bad_resources(given):
    with pytest.raises(BadArgument, match="resources"):
        with_resources(trainable, given)


@pytest.mark.parametrize("bundles", [[], [{}], [{"CPU": 0}], [{"CPU": 1}, {}], [{"CPU": -1}], {"CPU": 1}, [1], "CPU"])
def test_bad_bundles(bundles):
    with pytest.raises(BadArgument, match="bundles"):
        PlacementGroupFactory(bundles)


def test_bundles():
    group = PlacementGroupFactory([{}, {"CPU": 2, "GPU": 0}, {"CPU": 2, "x": 1}], strategy="SPREAD")
    assert group.head_bundle_is_empty is True
    assert group.head_cpus == 0
    assert group.bundles == [{"CPU": 2.0}, {"CPU": 2.0, "x": 1.0}]
    assert group.required_resources == {"CPU": 4.0, "x": 1.0}
    assert dict(group) == {"cpu": 4.0, "x": 1.0}
    assert len(group) == 2
    assert group.strategy == "SPREAD"
    assert PlacementGroupFactory([{"CPU": 3}]).head_cpus == 3
    assert pickle.loads(pickle.dumps(group)) == group
    assert group != PlacementGroupFactory([{}, {"CPU": 2}, {"CPU": 2, "x": 1}])
    assert group != {"cpu": 4.0, "x": 1.0}
    assert len({group, PlacementGroupFactory([{}, {"CPU": 2}, {"x": 1, "CPU": 2}], "SPREAD")}) == 1
    assert "SPREAD" in repr(group)
