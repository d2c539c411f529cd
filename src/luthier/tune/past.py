"""An experiment as its directory tells it."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from luthier.core.goal import Goal
from luthier.core.state import ExperimentState, evolve
from luthier.store.card import ExperimentCard
from luthier.store.jsonl import JsonlStore
from luthier.store.segments import listed
from luthier.tune.history import History
from luthier.tune.staging import local_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from luthier.core.events import Event
    from luthier.core.state import TrialState


class Past:
    """What the log in *directory* says, without any policy; it is read when somebody asks.

    The experiment may be running: what is told is how far it was when it was asked.

    Args:
        directory: the experiment's directory, or its URL.
        storage_filesystem: fsspec file system that it lies on, where the URL does not tell it all.

    Attributes:
        directory: the experiment's directory on this machine.
        card: what the experiment is.

    Raises:
        NotAnExperiment: there is none.
    """

    def __init__(self, directory: str | os.PathLike[str], storage_filesystem: object = None) -> None:
        self.directory = local_of(directory, storage_filesystem)
        self.card = ExperimentCard.read(self.directory)

    @cached_property
    def experiment(self) -> ExperimentState:
        """Its state after the last event."""
        goals = tuple(Goal(metric, mode) for metric, mode in zip(self.card.metrics, self.card.modes, strict=True))
        experiment = ExperimentState(goals)
        for event in events_of(self.directory):
            evolve(experiment, event)
        return experiment

    @cached_property
    def history(self) -> History:
        """Its results."""
        return History(lambda: events_of(self.directory))

    @cached_property
    def by_folder(self) -> dict[str, TrialState]:
        """Its trials by the names of their directories."""
        return {trial.label.folder: trial for trial in self.experiment.trials.values()}


def past_of(directory: str) -> Past:
    """Return what the log in *directory* says: the same object as last time, where nothing was added since.

    Whoever asks for one trial after another has the log read once.
    """
    segments = listed(Path(directory, "events"))
    return _past(directory, tuple((segment.first, segment.path.stat().st_size) for segment in segments))


@lru_cache(maxsize=1)
def _past(directory: str, _extent: tuple[tuple[int, int], ...]) -> Past:
    return Past(directory)


def events_of(directory: str) -> Iterator[Event]:
    """Return the events in the experiment's log, oldest first."""
    for record in JsonlStore(directory, readonly=True).read():
        yield from record.events
