"""An experiment as its directory tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.goal import Goal
from luthier.core.state import ExperimentState, evolve
from luthier.store.card import ExperimentCard
from luthier.store.jsonl import JsonlStore
from luthier.tune.history import History
from luthier.tune.staging import local_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from luthier.core.events import Event


class Past:
    """What the log in *directory* says, without any policy.

    Args:
        directory: the experiment's directory, or its URL.
        storage_filesystem: fsspec file system that it lies on, where the URL does not tell it all.

    Attributes:
        directory: the experiment's directory on this machine.
        card: what the experiment is.
        experiment: its state after the last event.
        history: its results.
    """

    def __init__(self, directory: str | os.PathLike[str], storage_filesystem: object = None) -> None:
        self.directory = local_of(directory, storage_filesystem)
        self.card = ExperimentCard.read(self.directory)
        goals = tuple(Goal(metric, mode) for metric, mode in zip(self.card.metrics, self.card.modes, strict=True))
        self.experiment = ExperimentState(goals)
        for event in events_of(self.directory):
            evolve(self.experiment, event)
        self.history = History(lambda: events_of(self.directory))


def events_of(directory: str) -> Iterator[Event]:
    """Return the events in the experiment's log, oldest first."""
    for record in JsonlStore(directory, readonly=True).read():
        yield from record.events
