"""What trials are called, whatever the user's functions say."""

from __future__ import annotations

import pytest

from luthier.core.errors import BadArgument
from luthier.core.space import Space
from luthier.core.terms import TrialId
from luthier.tune.history import History
from luthier.tune.naming import Naming, valid_folder


def saying(said):
    return None if said is None else lambda shown: said


def label(name=None, folder=None, trial="ab_0"):
    naming = Naming("f", Space({}), "/experiment", saying(name), saying(folder), History(list))
    return naming(TrialId(trial), 0, {})


@pytest.mark.parametrize("folder", ["events", "Events", "experiment.json", "tuner.pkl", ".lock"])
def test_what_the_experiment_itself_needs_is_no_trials_folder(folder):
    assert label(folder=folder).folder == f"{folder}_ab_0"


@pytest.mark.parametrize("folder", ["../../x", "/etc", "..", ".", "a/../..", "e\n", "\ud800", "a\0b", "con"])
def test_a_folder_stays_inside(folder):
    made = valid_folder(folder)
    assert made.encode() and not set(made) & set("/\\\n\0") and made not in (".", "..", "con")


def test_a_folder_fits_the_file_system():
    naming = Naming("f", Space({}), "/experiment", None, lambda shown: "\N{GRINNING FACE}" * 300, History(list))
    folders = [naming(TrialId(f"abcde_{number:05d}"), number, {}).folder for number in range(3)]
    assert len(set(folders)) == 3
    assert all(len(folder.encode()) <= 255 for folder in folders)


def test_a_name_can_be_written():
    assert label(name="a\ud800").name == "a\\ud800"


@pytest.mark.parametrize("said", ["", 5])
def test_what_is_no_name_is_refused(said):
    with pytest.raises(BadArgument, match="trial_name_creator"):
        label(name=said)
