"""The trials of an experiment as users see them, in the order in which they came."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from luthier.tune.trial import Trial

if TYPE_CHECKING:
    from luthier.core.state import ExperimentState
    from luthier.tune.history import History


class Roster:
    """Keeps one :class:`Trial` for each trial.

    Args:
        experiment_dir: the experiment's directory.
        trainable_name: name of what is trained.
        history: the experiment's results.

    Attributes:
        trials: all of them so far; the list stays the same one.
        by_id: the same by their ids.
    """

    def __init__(self, experiment_dir: str, trainable_name: str, history: History) -> None:
        self._dir, self._name, self._history = experiment_dir, trainable_name, history
        self.trials: list[Trial] = []
        self.by_id: dict[str, Trial] = {}

    def notice(self, experiment: ExperimentState) -> None:
        """Add those that are new."""
        if len(self.trials) < len(experiment):
            new = list(islice(reversed(experiment.trials.values()), len(experiment) - len(self.trials)))
            for state in reversed(new):
                self.by_id[state.id] = Trial(state, self._dir, self._name, self._history)
                self.trials.append(self.by_id[state.id])
