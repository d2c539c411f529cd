"""An experiment's directory, opened to be looked at: nothing is written, and no pickle of its values is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from luthier.callbacks.board import counts
from luthier.callbacks.spelling import flat
from luthier.core.errors import CorruptLog, IllegalEvent, LuthierError, NewerFormat, NotAnExperiment
from luthier.core.goal import Goal
from luthier.core.lineage import Lineage
from luthier.core.state import ExperimentState, TrialState, evolve
from luthier.core.terms import SPOKEN, Status
from luthier.store.card import DRIVER_ERROR, FILE_NAME, ExperimentCard
from luthier.store.decisions import decisions
from luthier.store.jsonl import JsonlStore
from luthier.store.views import ExperimentRow
from luthier.tune.place import usual_storage
from luthier.tune.staging import is_url, local_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luthier.core.terms import TrialId
    from luthier.store.base import Record
    from luthier.store.decisions import Decided

# The public words for where a trial stands; STOPPED tells early stopping from coming to an end.
LABELS = {**SPOKEN, Status.STOPPED: "STOPPED"}


class Refused(click.ClickException):
    """What was asked for cannot be had: one clear message, exit code 2."""

    exit_code = 2


class Opened:
    """An experiment as its directory tells it.

    Attributes:
        directory: where it is.
        card: what it is.
        experiment: its state after the last event in the log.
        row: when things happened.
        running: whether somebody writes to it now.

    Raises:
        Refused: the directory holds no experiment, or a damaged one.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = local(directory)
        try:
            self.card = ExperimentCard.read(self.directory, unpickle=False)
            goals = tuple(Goal(metric, mode) for metric, mode in zip(self.card.metrics, self.card.modes, strict=True))
            self.experiment, self.row = ExperimentState(goals), ExperimentRow()
            self._store = JsonlStore(self.directory, readonly=True, unpickle=False)
            self.running = self.is_running()
            for record in self._store.read():
                self.add(record)
        except (NotAnExperiment, NewerFormat) as error:
            raise Refused(str(error)) from error
        except (CorruptLog, IllegalEvent, KeyError, ValueError, OSError) as error:
            raise Refused(f"{self.directory} cannot be read: {type(error).__name__}: {error}") from error

    def add(self, record: Record) -> None:
        """Fold the next record of the log in."""
        for event in record.events:
            evolve(self.experiment, event)
        self.row.add(record)

    def decisions(self, trial: TrialId) -> Iterator[Decided]:
        """Return what was decided about *trial*; the log is read once more."""
        return decisions(self._store.read(), trial)

    def lineage(self) -> Lineage:
        """Return who went on from whom; the log is read once more."""
        return Lineage(event for record in self._store.read() for event in record.events)

    def is_running(self) -> bool:
        """Return whether somebody writes to it now."""
        return self._store.writer() is not None

    @property
    def goal(self) -> Goal | None:
        """What is optimised first, if anything."""
        return self.experiment.goals[0] if self.experiment.goals else None

    @property
    def state(self) -> str:
        """``running``, ``finished``, ``failed`` or ``interrupted``."""
        if self.running:
            return "running"
        if self.failure:
            return "failed"
        unfinished = any(self.experiment.by_status[status] for status in Status if not status.final)
        return "interrupted" if unfinished or not len(self.experiment) else "finished"

    @property
    def failure(self) -> str:
        """What ended its driver, in one line; empty where nothing did."""
        try:
            with open(self.directory / DRIVER_ERROR, encoding="utf-8") as file:
                return "" if self.running else file.readline().strip()
        except (OSError, ValueError):
            return ""

    @property
    def elapsed(self) -> float:
        """Seconds between the first and the last event."""
        return (self.row.updated or 0.0) - (self.row.started or 0.0)

    def counts(self) -> str:
        """Return how many trials are in which state, in words."""
        return ", ".join(f"{count} {word}" for word, count in counts(self.experiment).items()) or "no trials"

    def trials(self) -> list[dict[str, Any]]:
        """Return a flat dict for each trial: trial, status, its last metrics, its config under ``config/``, times."""
        return [self._trial(t) for t in self.experiment.trials.values()]

    def _trial(self, t: TrialState) -> dict[str, Any]:
        times = self.row.trials[t.id]
        found: dict[str, Any] = {"trial": t.label.name or t.id, "status": LABELS[t.status]}
        found |= flat({k: v for k, v in t.metrics.items() if k != "config"})
        found |= {f"config/{name}": value for name, value in flat(t.config)}
        found |= {
            "attempts": t.attempt,
            "reports": times.reports,
            "started": times.started,
            "ended": times.ended,
            "reason": t.reason if t.status.final else "",
            "folder": t.label.folder,
        }
        return found


def by_name(directory: str) -> str:
    """Return *directory*; where there is none of that name here, the experiment of that name where they usually are."""
    usual = usual_storage()
    if Path(directory).name != directory or Path(directory).exists() or is_url(usual):
        return directory
    named = Path(usual).expanduser() / directory
    return str(named) if is_experiment(named) else directory


def local(directory: str | Path) -> Path:
    """Return the directory of the experiment at *directory*, a path, a URL or a name; what is elsewhere is fetched.

    Raises:
        Refused: it cannot be.
    """
    text = str(directory)
    if not is_url(text):
        return Path(by_name(text)).expanduser()
    try:
        return Path(local_of(text, argument="experiment"))
    except LuthierError as error:
        raise Refused(str(error)) from error


def is_experiment(path: Path) -> bool:
    """Return whether *path* is an experiment's directory."""
    return (path / FILE_NAME).is_file()


def existing(directory: str) -> Path:
    """Return *directory*, a path or an experiment's name, as a path.

    Raises:
        Refused: it is not there, or no directory.
    """
    path = Path(by_name(directory)).expanduser()
    if not path.exists():
        raise Refused(f"{directory} is not there. Give a directory that holds experiments, or an experiment's own.")
    if not path.is_dir():
        raise Refused(f"{directory} is a file. Give a directory that holds experiments, or an experiment's own.")
    return path
