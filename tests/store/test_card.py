from __future__ import annotations

import json
import math
import os
from pathlib import Path

import msgspec
import pytest

from luthier.core.errors import NewerFormat, NotAnExperiment, NotStorable, StoreFailed
from luthier.store.card import ExperimentCard

CARD = ExperimentCard(
    name="digits",
    trainable="train",
    metrics=["loss"],
    modes=["min"],
    num_samples=-1,
    seed=2**63,
    prefix="ab12c_",
    created=1.5,
    version="0.1.0",
    space="lr  loguniform(0.001, 0.1)",
    extra={"stop": {"loss": -math.inf}, "layers": (1, 2), "path": Path("a")},
)


def test_a_card_comes_back(tmp_path):
    path = CARD.write(tmp_path / "deep" / "er")
    assert ExperimentCard.read(path.parent) == CARD
    assert json.loads(path.read_text())["name"] == "digits"
    assert [p.name for p in path.parent.iterdir()] == ["experiment.json"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_is_left_out_has_defaults(tmp_path):
    card = ExperimentCard(name="a", trainable="f", num_samples=1, seed=0, prefix="", created=0.0, version="1")
    card.write(tmp_path)
    assert ExperimentCard.read(tmp_path) == card
    path = tmp_path / "experiment.json"
    words = json.loads(path.read_text())
    for key in ("metrics", "modes", "format", "space", "extra"):
        del words[key]
    path.write_text(json.dumps(words | {"from_the_future": 1}))
    assert ExperimentCard.read(tmp_path) == card


def test_a_crash_while_writing_leaves_the_old_card(tmp_path, monkeypatch):
    CARD.write(tmp_path)
    other = ExperimentCard(name="b", trainable="f", num_samples=1, seed=0, prefix="", created=0.0, version="1")

    def fail(fd):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StoreFailed, match=r"experiment\.json cannot be written: No space left"):
            other.write(tmp_path)
    assert ExperimentCard.read(tmp_path) == CARD
    assert [p.name for p in tmp_path.iterdir()] == ["experiment.json"]
    other.write(tmp_path)
    assert ExperimentCard.read(tmp_path) == other


def test_what_is_no_experiment_is_named(tmp_path):
    with pytest.raises(NotAnExperiment, match=r"no experiment of Luthier's: it holds no experiment\.json"):
        ExperimentCard.read(tmp_path)
    with pytest.raises(NotAnExperiment, match="it is not there"):
        ExperimentCard.read(tmp_path / "none")


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"name": 3}', "\0\0"])
def test_a_damaged_card_is_told(tmp_path, text):
    (tmp_path / "experiment.json").write_text(text)
    with pytest.raises(NotAnExperiment, match=r"experiment\.json is damaged"):
        ExperimentCard.read(tmp_path)


def test_a_newer_card_is_refused(tmp_path):
    (tmp_path / "experiment.json").write_text('{"format": 2, "all": "else"}')
    with pytest.raises(NewerFormat, match=r"format 2.*upgrade Luthier"):
        ExperimentCard.read(tmp_path)


def test_what_cannot_be_written_is_named(tmp_path):
    card = msgspec.structs.replace(CARD, extra={"f": (x for x in [1])})
    with pytest.raises(NotStorable, match=r"extra\['f'\]"):
        card.write(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailed):
        CARD.write(tmp_path / "file")
