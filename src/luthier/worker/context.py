"""What a running trial may know about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from luthier.worker.bundles import PlacementGroupFactory
from luthier.worker.session import current

if TYPE_CHECKING:
    from luthier.worker.assignment import Assignment


class Storage(msgspec.Struct, frozen=True):
    """Where an experiment is stored.

    Attributes:
        experiment_dir_name: the experiment's name.
        experiment_path: the experiment's directory.
        trial_path: the trial's directory.
    """

    experiment_dir_name: str
    experiment_path: str
    trial_path: str

    @property
    def storage_path(self) -> str:
        """The directory that the experiment's directory lies in."""
        return self.experiment_path.rstrip("/\\").rpartition("/")[0]


class TuneContext:
    """The running trial: its name, its directory, what it holds.

    Every answer is None outside of a trial.

    >>> get_context().get_trial_id() is None
    True
    """

    def get_trial_id(self) -> str | None:
        """Return the trial's id."""
        given = _assignment()
        return None if given is None else str(given.trial)

    def get_trial_name(self) -> str | None:
        """Return the trial's name for people."""
        given = _assignment()
        return None if given is None else given.name

    def get_trial_dir(self) -> str | None:
        """Return the trial's own directory; it exists, and is not the current one."""
        given = _assignment()
        return None if given is None else given.trial_dir

    def get_trial_resources(self) -> PlacementGroupFactory | None:
        """Return what the trial holds: ``["cpu"]``, ``["gpu"]`` and custom names give numbers."""
        given = _assignment()
        if given is None:
            return None
        return PlacementGroupFactory.holding(given.resources)

    def get_trial_seed(self) -> int | None:
        """Return the 32-bit seed that ``random``, numpy and torch were seeded with; None where the run has no seed."""
        given = _assignment()
        return None if given is None else given.seed

    def get_experiment_name(self) -> str | None:
        """Return the experiment's name."""
        given = _assignment()
        return None if given is None else given.experiment

    def get_storage(self) -> Storage | None:
        """Return where the experiment is stored."""
        given = _assignment()
        return None if given is None else Storage(given.experiment, given.experiment_dir, given.trial_dir)


_context = TuneContext()


def get_context() -> TuneContext:
    """Return the context of the running trial."""
    return _context


def get_trial_id() -> str | None:
    """Return the trial's id (the older spelling of ``get_context().get_trial_id()``)."""
    return _context.get_trial_id()


def get_trial_name() -> str | None:
    """Return the trial's name (the older spelling of ``get_context().get_trial_name()``)."""
    return _context.get_trial_name()


def get_trial_dir() -> str | None:
    """Return the trial's directory (the older spelling of ``get_context().get_trial_dir()``)."""
    return _context.get_trial_dir()


def get_trial_resources() -> PlacementGroupFactory | None:
    """Return what the trial holds (the older spelling of ``get_context().get_trial_resources()``)."""
    return _context.get_trial_resources()


def _assignment() -> Assignment | None:
    session = current()
    return None if session is None else session.assignment
