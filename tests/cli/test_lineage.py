from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from luthier import tune
from luthier.cli.commands import luthier
from luthier.tune.schedulers import PopulationBasedTraining


def walk(config):
    x = 5.0 if tune.get_checkpoint() is None else tune.get_checkpoint().to_dict()["x"]
    while True:
        x -= config["lr"] * x
        tune.report({"loss": x}, checkpoint=tune.Checkpoint.from_dict({"x": x}))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration", perturbation_interval=2, hyperparam_mutations={"lr": [0.1, 0.2, 0.3, 0.4]}
    )
    config = tune.TuneConfig(metric="loss", mode="min", num_samples=4, seed=1, scheduler=scheduler)
    run = tune.RunConfig(
        storage_path=tmp_path_factory.mktemp("results"), verbose=0, executor="inline", stop={"training_iteration": 6}
    )
    return tune.Tuner(walk, tune_config=config, run_config=run).fit().experiment_path


def said(*arguments, code=0):
    done = CliRunner().invoke(luthier, ["show", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


def test_the_tree(path):
    lines = said(path, "--lineage").splitlines()
    assert lines[0].startswith("4 trials; ") and lines[0].endswith("one went on from another, by training_iteration:")
    assert any(line.startswith(("├─ ", "└─ ")) and "follows  lr " in line and "loss" in line for line in lines)


def test_as_json(path):
    told = json.loads(said(path, "--lineage", "--json"))
    assert len(told["trials"]) == 4 and told["handovers"]
    first = told["handovers"][0]
    assert first["time"] == 2 and first["source"] != first["follower"] and "lr" in first["new"] | first["old"]


def test_the_picture(path, tmp_path):
    target = tmp_path / "lineage.svg"
    assert "4 trials, " in said(path, "--lineage", "--output", target)
    assert ET.parse(target).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_what_cannot_be_written(path, tmp_path):
    assert "give a file that ends in .svg" in said(path, "--lineage", "--output", tmp_path / "l.csv", code=2)
    assert "cannot be written: No such file" in said(path, "--lineage", "--output", tmp_path / "no" / "l.svg", code=2)
