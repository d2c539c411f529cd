"""Which metrics are reported, and when."""

from __future__ import annotations

import pytest

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.integration.boosting import Rounds
from luthier.tune.integration.chosen import Chosen
from luthier.tune.integration.moments import moments
from luthier.tune.integration.saved import file_name


@pytest.mark.parametrize(
    ("metrics", "reported"),
    [
        (None, {"a": 1, "b": 2}),
        ([], {"a": 1, "b": 2}),
        ("a", {"a": 1}),
        (["b", "a"], {"b": 2, "a": 1}),
        ({"mine": "b"}, {"mine": 2}),
    ],
)
def test_what_is_reported(metrics, reported):
    assert Chosen(metrics).of({"a": 1, "b": 2}) == reported


def test_a_metric_that_is_not_there():
    with pytest.raises(BadArgument, match=r"metrics=\['c'\] cannot be used.*no such metric; give some of \['a'\]"):
        Chosen(["a", "c"]).of({"a": 1})
    assert Chosen(["a", "c"]).there({"a": 1}) == {"a": 1}
    assert Chosen({"x": "c"}).missing({"a": 1}) == ["c"]


@pytest.mark.parametrize("metrics", [3, [3], {"a": 3}, b"loss", {3: "a"}])
def test_metrics_that_are_no_names(metrics):
    with pytest.raises(BadArgumentType, match="metrics"):
        Chosen(metrics)


def test_moments():
    assert moments("on", "fit_end", ["fit_end", "fit_start"]) == {"fit_end"}
    assert moments("on", [], ["fit_end"]) == set()
    with pytest.raises(BadArgument, match="on='fit' cannot be used: give one of"):
        moments("on", ["fit_end", "fit"], ["fit_end"])


@pytest.mark.parametrize("name", ["", "a/b", "..", "/", None])
def test_a_file_name_is_no_path(name):
    with pytest.raises(BadArgument, match="filename"):
        file_name("filename", name)


@pytest.mark.parametrize(
    ("named", "value"), [("frequency", -1), ("frequency", 1.5), ("frequency", True), ("results_postprocessing_fn", 3)]
)
def test_bad_arguments_of_boosting(named, value):
    good = {"filename": "m", "frequency": 0, "checkpoint_at_end": True, "results_postprocessing_fn": None}
    with pytest.raises(BadArgument, match=named):
        Rounds(None, **(good | {named: value}))
