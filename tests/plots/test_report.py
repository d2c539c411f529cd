"""The page: all figures that apply, nothing from elsewhere, nothing of the user's as markup."""

from __future__ import annotations

import base64
import json
import math
import sys
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from luthier.core.goal import Goal
from luthier.plots.catalogue import FIGURES
from luthier.plots.chronicle import Chronicle
from luthier.plots.report import report
from tests.plots.made import LOSS, chronicle

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;"


@pytest.fixture(autouse=True)
def _small_forest(monkeypatch):
    monkeypatch.setattr("luthier.plots.forest.TREES", 4)


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    @property
    def figures(self):
        return json.loads(self.scripts[0])


def made(count: int = 12, goals=LOSS) -> Chronicle:
    return chronicle(
        [{"lr": 10.0 ** -(k % 5), "opt": "ab"[k % 2], "x": k} for k in range(count)],
        goals,
        loss=[float(k * k % 17) for k in range(count)],
        size=[float(k % 7) for k in range(count)],
    )


def test_what_a_page_shows():
    page = Page(report(made()))
    shown = [attrs["id"] for tag, attrs in page.tags if tag == "section"]
    assert shown == [
        "optimization_history", "learning_curves", "param_importances", "parallel_coordinate", "slice", "contour",
        "rank", "edf", "timeline", "omitted",
    ]  # fmt: skip
    assert list(page.figures) == shown[:-1]
    assert "12 trials" in page.text and "12 done" in page.text and "best loss" in page.text
    assert "Lineage: No trial went on from another one." in page.text
    links = {str(attrs["href"]) for tag, attrs in page.tags if tag == "a"}
    assert links == {f"#{name}" for name in shown[:-1]}


def test_the_best_trials_stand_at_the_head():
    page = Page(report(made()))
    rows = [text for text in page.texts if text.startswith("trial_")]
    assert rows == [f"trial_{k}" for k in sorted(range(12), key=lambda k: (k * k % 17, k))[:10]]


def test_figures_come_with_their_values():
    figure = Page(report(made())).figures["optimization_history"]
    ys = figure["data"][0]["y"]
    values = np.frombuffer(base64.b64decode(ys["bdata"]), dtype=ys["dtype"]).tolist() if isinstance(ys, dict) else ys
    assert values == [float(k * k % 17) for k in range(12)]
    assert "template" not in figure["layout"] and "title" not in figure["layout"]


def test_nothing_comes_from_elsewhere():
    text = report(made())
    page = Page(text)
    for _, attrs in page.tags:
        assert not {"src", "srcset", "action", "data", "poster", "background"} & attrs.keys()
        assert str(attrs.get("href", "#")).startswith("#")
    assert not [tag for tag, _ in page.tags if tag in {"link", "iframe", "object", "embed", "base", "form"}]
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none'; ") and "http" not in policy
    ours = page.scripts[-1]
    assert "http" not in ours and "fetch(" not in ours and "showSendToCloud: false" in ours
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style and "@import" not in style and "prefers-color-scheme: dark" in style


def test_names_are_never_markup():
    goals = (Goal(HOSTILE, "min"),)
    losses: dict[str, Any] = {HOSTILE: [float(k) for k in range(9)]}
    configs = [{HOSTILE: HOSTILE + str(k % 3), "x": k} for k in range(9)]
    evil = chronicle(configs, goals, names=[HOSTILE] * 9, **losses)
    evil.name = HOSTILE
    page = Page(report(evil))
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert not [tag for tag, attrs in page.tags if tag == "img" or any(name.startswith("on") for name in attrs)]
    assert HOSTILE in page.texts
    shown = page.figures["slice"]["layout"]["xaxis"]["title"]["text"]
    assert "<" not in shown


def test_every_goal_has_figures():
    page = Page(report(made(goals=(Goal("loss", "min"), Goal("size", "max")))))
    assert {"slice", "slice-2", "pareto_front", "edf-2"} <= page.figures.keys()
    assert "loss (min), size (max)" in page.text


def test_one_metric_alone():
    page = Page(report(made(), metric="size", mode="max"))
    assert "slice-2" not in page.figures and "best size" in page.text and "6" in page.texts
    with pytest.raises(ValueError, match="metric='sise' cannot be used"):
        report(made(), metric="sise")


def test_figures_that_are_chosen():
    assert list(Page(report(made(), ["edf", "slice"])).figures) == ["edf", "slice"]


@pytest.mark.parametrize(
    "chronicle_", [Chronicle(), Chronicle(goals=(Goal("loss", "min"),)), chronicle([{"x": 1}], loss=[None])]
)
def test_where_there_is_nothing_to_show(chronicle_):
    page = Page(report(chronicle_))
    assert "Not shown" in page.texts


def test_one_trial_and_nan():
    page = Page(report(chronicle([{"x": 1}], loss=[math.nan])))
    assert "no trial has reported loss" in page.text


def test_a_running_experiment():
    page = Page(
        report(chronicle([{"x": k} for k in range(3)], statuses=["done", "running", "waiting"], loss=[1.0, 2.0, None]))
    )
    assert "1 done, 1 running, 1 waiting" in page.text


def test_without_the_forest_the_others_are_shown(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    page = Page(report(made()))
    assert "param_importances" not in page.figures and "slice" in page.figures
    assert "pip install 'luthier[plot]'" in page.text


def test_a_page_of_many_trials_stays_small():
    rng = np.random.default_rng(0)
    count = 10_000
    configs = [dict(zip("abcdefgh", rng.random(8).tolist(), strict=True)) for _ in range(count)]
    text = report(
        chronicle(configs, loss=[c["a"] for c in configs]), [name for name in FIGURES if "import" not in name]
    )
    assert len(text.encode()) < 9e6
