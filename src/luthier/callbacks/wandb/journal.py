"""What W&B has been told already: ``wandb-told.jsonl`` in the experiment's directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_NAME = "wandb-told.jsonl"


class Told(msgspec.Struct, frozen=True):
    """How far W&B knew a trial when its run was closed.

    Attributes:
        trial: the trial's id.
        target: where it was told: entity and project.
        reports: how many of its reports.
        attempt: its last attempt.
        ended: whether it was told that the trial had come to its end.
        run: id of the run.
    """

    trial: str
    target: str
    reports: int = 0
    attempt: int = 0
    ended: bool = False
    run: str = ""


class Journal:
    """Notes what was told, a line for each run that is closed; what is not noted is told again after a restart.

    Args:
        directory: the experiment's directory.
        target: where it is told; others' lines are passed over.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     Journal(directory, "digits").note(Told("t0", "digits", reports=3))
    ...     Journal(directory, "digits")["t0"].reports, Journal(directory, "others")["t0"].reports
    (3, 0)
    """

    def __init__(self, directory: str, target: str) -> None:
        self._path, self._target = os.path.join(directory, FILE_NAME), target
        self._told = {told.trial: told for told in self._lines() if told.target == target}
        self._owners = {told.run: told.trial for told in self._told.values()}

    def __getitem__(self, trial: str) -> Told:
        return self._told.get(trial) or Told(trial, self._target)

    def claim(self, run: str, trial: str) -> str:
        """Return the id of *trial*'s run, which was to be *run*: another one where another trial has that.

        >>> journal = Journal("results/no_such_experiment", "digits")
        >>> journal.claim("best", "t0"), journal.claim("best", "t1"), journal.claim("best", "t0")
        ('best', 'best-t1', 'best')
        """
        return run if self._owners.setdefault(run, trial) == trial else f"{run}-{trial}"

    def note(self, told: Told) -> None:
        """Note that so much was told."""
        self._told[told.trial] = told
        with open(self._path, "ab") as file:
            file.write(msgspec.json.encode(told) + b"\n")

    def _lines(self) -> Iterator[Told]:
        try:
            with open(self._path, "rb") as file:
                text = file.read()
        except FileNotFoundError:
            return
        for line in text.split(b"\n"):
            try:
                yield msgspec.json.decode(line, type=Told)
            except msgspec.MsgspecError:  # the end of one that was being written when the machine died
                continue
