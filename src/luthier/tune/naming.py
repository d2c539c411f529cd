"""What trials are called, and where they live."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.core.state import TrialState
from luthier.core.terms import Config, Label, TrialId
from luthier.store.card import FILE_NAME as CARD
from luthier.tune.kit import FILE_NAME as TUNER
from luthier.tune.tags import experiment_tag
from luthier.tune.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luthier.core.space import Space
    from luthier.tune.history import History

LONGEST = 100  # characters of a directory's name: with a long storage path it still fits 260 (Windows)
BYTES = 240  # that it has at most in UTF-8: 255 are the limit of most file systems, and a trial's id may follow
TAKEN = ("events", CARD, TUNER, ".lock", ".lease")  # what lies beside the trials' directories
RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$")


class Naming:
    """Gives each new trial its label.

    Args:
        trainable_name: what names begin with.
        space: the search space; what of a config was drawn goes into the tag.
        experiment_dir: the experiment's directory.
        name_creator: the user's function of the trial for its name, if any.
        dirname_creator: the user's function of the trial for its directory's name, if any.
        history: the experiment's results, for the trial that is shown to these functions.
    """

    def __init__(
        self,
        trainable_name: str,
        space: Space,
        experiment_dir: str,
        name_creator: Callable[[Any], str] | None,
        dirname_creator: Callable[[Any], str] | None,
        history: History,
    ) -> None:
        self._trainable, self._space, self._dir, self._history = trainable_name, space, experiment_dir, history
        self._name_creator, self._dirname_creator = name_creator, dirname_creator
        self._owner: dict[str, TrialId] = dict.fromkeys(TAKEN, TrialId(""))

    def know(self, trials: Mapping[TrialId, TrialState]) -> None:
        """Take note of the directories that *trials* have."""
        for trial in trials.values():
            self._owner[trial.label.folder.lower()] = trial.id

    def __call__(self, trial: TrialId, number: int, config: Config) -> Label:
        """Return the label of a new trial."""
        tag = experiment_tag(number, config, self._space)
        name = f"{self._trainable}_{trial}"
        label = Label(name, name, tag)
        if self._name_creator is None and self._dirname_creator is None:
            return label
        shown = Trial(TrialState(trial, number, config, {}, label), self._dir, self._trainable, self._history)
        name = self._ask("trial_name_creator", self._name_creator, shown) or label.name
        folder = self._ask("trial_dirname_creator", self._dirname_creator, shown)
        return Label(name, self._free(valid_folder(folder or label.folder), trial), tag)

    def _free(self, folder: str, trial: TrialId) -> str:
        """Return *folder*, or a variant of it where it belongs to another trial."""
        if self._owner.setdefault(folder.lower(), trial) == trial:
            return folder
        folder = f"{folder[: LONGEST - len(trial) - 1]}_{trial}"
        self._owner[folder.lower()] = trial
        return folder

    @staticmethod
    def _ask(argument: str, creator: Callable[[Any], str] | None, trial: Trial) -> str:
        if creator is None:
            return ""
        name = creator(trial)
        if not isinstance(name, str) or not name:
            raise BadArgument(argument, creator, "a function that returns a text", f"it returned {name!r}")
        return name.encode("utf-8", "backslashreplace").decode("utf-8")


def valid_folder(name: str) -> str:
    """Return *name* as a directory's name that is valid everywhere, Windows included.

    >>> valid_folder("lr=0.1/seed: 3?")
    'lr=0.1_seed_ 3_'
    """
    clean = re.sub(r'[\x00-\x1f\ud800-\udfff/()<>:"\\|?*]', "_", name)[:LONGEST]
    clean = clean.encode()[:BYTES].decode("utf-8", "ignore").rstrip(" .")
    return f"_{clean}" if RESERVED.match(clean) or not clean else clean
