from __future__ import annotations

import resource
import shutil

import pytest
from click.testing import CliRunner

from luthier import tune
from luthier.cli.commands import luthier
from luthier.core.errors import NoPicture
from luthier.plots.catalogue import FIGURES


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    def train(config):
        for step in range(3):
            tune.report({"loss": config["x"] ** 2 / (step + 1), "acc": config["x"]})

    goal = tune.TuneConfig(metric="loss", mode="min", num_samples=6, seed=1)
    folder = tmp_path_factory.mktemp("results")
    run = tune.RunConfig(storage_path=folder, name="here", verbose=0, executor="inline")
    tuner = tune.Tuner(train, param_space={"x": tune.uniform(0, 1)}, tune_config=goal, run_config=run)
    return tuner.fit().experiment_path


def said(*arguments, code=0):
    done = CliRunner().invoke(luthier, ["plot", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


def test_a_page(path, tmp_path):
    target = tmp_path / "report.html"
    assert said(path, "--out", target) == f"6 trials, 18 results in {target}\n"
    text = target.read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>") and "<h1>here</h1>" in text and 'id="slice"' in text


def test_another_metric(path, tmp_path):
    said(path, "--out", tmp_path / "acc.html", "--metric", "acc", "--mode", "max", "--figure", "learning_curves")
    text = (tmp_path / "acc.html").read_text("utf-8")
    assert "Learning curves of acc" in text and "best acc" in text and 'id="slice"' not in text


def test_a_picture_is_of_one_figure(path, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("luthier.plots.picture.write_picture", lambda figure, target: drawn.append((figure, target)))
    said(path, "--out", tmp_path / "a.png", "--figure", "timeline")
    assert [figure.layout.meta["title"] for figure, _ in drawn] == ["Timeline of workers"]
    assert "a picture is of one figure" in said(path, "--out", tmp_path / "a.png", code=2)


def test_a_picture_that_cannot_be_drawn(path, tmp_path, monkeypatch):
    def refuse(figure, target):
        raise NoPicture("no browser here")

    monkeypatch.setattr("luthier.plots.picture.write_picture", refuse)
    assert "no browser here" in said(path, "--out", tmp_path / "a.png", "--figure", "edf", code=2)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["--out", "x.gif"], "give a file that ends in one of .html, .png"),
        (["--metric", "lss"], "metric='lss' cannot be used: give one of loss, acc"),
        (["--figure", "slices"], "'slices' is not one of"),
        (["--out", "no/such/place.html"], "--out no/such/place.html cannot be written: No such file"),
    ],
)
def test_what_is_refused(path, tmp_path, monkeypatch, arguments, answer):
    monkeypatch.chdir(tmp_path)
    assert answer in said(path, *arguments, code=2)
    assert not list(tmp_path.iterdir())


def test_a_log_that_cannot_be_read_is_not_the_page_s_fault(path, tmp_path):
    shutil.copytree(path, tmp_path / "e")
    (segment,) = (tmp_path / "e" / "events").glob("*.jsonl")
    segment.unlink()
    segment.mkdir()
    answer = said(tmp_path / "e", "--out", tmp_path / "report.html", code=2)
    assert "e cannot be read" in answer and "--out" not in answer


def test_a_full_disk_leaves_the_page_of_before(path, tmp_path):
    target = tmp_path / "report.html"
    target.write_text("before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        answer = said(path, "--out", target, code=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot be written: File too large" in answer
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"] and target.read_text() == "before"


def test_a_figure_that_is_asked_for_twice_is_drawn_once(path, tmp_path):
    said(path, "--out", tmp_path / "a.html", "--figure", "slice", "--figure", "slice")
    assert (tmp_path / "a.html").read_text("utf-8").count('<section id="slice">') == 1


def test_what_is_no_experiment(tmp_path):
    assert "is no experiment of Luthier's" in said(tmp_path, code=2)


def test_help_names_every_figure():
    text = said("--help")
    assert all(name in text for name in FIGURES)
