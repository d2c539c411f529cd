"""An experiment's directory, read as a whole: card, rows, histories."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from luthier.store.card import ExperimentCard
from luthier.store.jsonl import JsonlStore
from luthier.store.views import ExperimentRow, fold, reports

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from luthier.core.terms import Metrics, TrialId


class ExperimentReader:
    """Reads an experiment from its directory without touching it, while it runs or afterwards.

    Args:
        directory: the experiment's directory.
        unpickle: whether values that only a pickle can tell are loaded; say False for somebody else's experiment.

    Raises:
        NotAnExperiment: the directory holds no experiment.
        NewerFormat: it was written by a newer Luthier.
    """

    def __init__(self, directory: str | os.PathLike[str], *, unpickle: bool = True) -> None:
        self.directory = Path(directory)
        self.card = ExperimentCard.read(directory, unpickle=unpickle)
        self.store = JsonlStore(directory, readonly=True, unpickle=unpickle)

    def row(self) -> ExperimentRow:
        """Return the experiment as the log leaves it by now, the trials' directories filled in."""
        row = fold(self.store.read())
        for trial in row.trials.values():
            if trial.label.folder:
                trial.path = str(self.directory / trial.label.folder)
        return row

    def history(self, trial: TrialId) -> Iterator[Metrics]:
        """Yield what *trial* reported, in order, over all its attempts."""
        return (event.metrics for _, event in reports(self.store.read(), trial))

    def histories(self) -> dict[TrialId, list[Metrics]]:
        """Return what every trial reported, in one pass over the log; memory grows with the reports."""
        found: dict[TrialId, list[Metrics]] = {}
        for _, event in reports(self.store.read()):
            found.setdefault(event.trial, []).append(event.metrics)
        return found
