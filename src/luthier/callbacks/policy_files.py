"""``pbt_policy_<trial>.txt`` and ``pbt_global.txt``: the schedules that a population found, as Ray Tune writes them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from luthier.callbacks.base import Silent
from luthier.callbacks.row_text import plain
from luthier.core.lineage import Lineage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.core.events import Event
    from luthier.core.lineage import Handover
    from luthier.core.state import ExperimentState
    from luthier.core.terms import TrialId

GLOBAL = "pbt_global.txt"
_Chain = tuple[str, "_Chain | None"]  # the last line of a schedule, and those before it


def policy_file(trial: TrialId) -> str:
    """Return the name of the file with the schedule of *trial*.

    >>> policy_file("ab12c_00003")
    'pbt_policy_ab12c_00003.txt'
    """
    return f"pbt_policy_{trial}.txt"


class PolicyFiles(Silent):
    """Writes a line for each time that a trial went on from another one.

    A line is a JSON list: the tags of the trial and of the one it went on from, how far each was (the latter when it
    saved the checkpoint that was taken), the config of the latter, and the new one.  ``pbt_global.txt`` has all of them
    in their order; a trial's own file begins with the lines of the one it went on from, if that has any: so it has
    those that led to where the trial is now.

    What is written is a view of the log: after an interruption the files are made anew from it.

    Args:
        directory: the experiment's directory.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = os.fspath(directory)
        self._lineage = Lineage()
        self._chains: dict[TrialId, _Chain] = {}

    def recall(self, log: Iterable[Event]) -> None:
        """Make the files anew from the *log* so far."""
        lines = [self._add(handover) for handover in self._lineage.hear(log)]
        for name in {GLOBAL, *map(policy_file, self._lineage.trials)}.intersection(os.listdir(self._directory)):
            os.unlink(os.path.join(self._directory, name))  # it may hold what the log does not
        if lines:
            self._write(GLOBAL, lines)
        for trial in self._chains:
            self._write_schedule(trial)

    def on_events(self, events: Sequence[Event], experiment: ExperimentState) -> None:
        """Write what came of the batch."""
        for handover in self._lineage.hear(events):
            line = self._add(handover)
            with open(os.path.join(self._directory, GLOBAL), "a", encoding="utf-8") as file:
                file.write(f"{line}\n")
            self._write_schedule(handover.target)

    def _add(self, handover: Handover) -> str:
        """Return the line of *handover*, which is put at the end of its trial's schedule."""
        line = json.dumps(
            [
                self._lineage.label(handover.target).tag,
                self._lineage.label(handover.source).tag,
                handover.iteration,
                handover.source_iteration,
                plain(handover.source_config),
                plain(handover.config),
            ]
        )
        before = self._chains.get(handover.source) or self._chains.get(handover.target)
        self._chains[handover.target] = (line, before)
        return line

    def _write_schedule(self, trial: TrialId) -> None:
        lines: list[str] = []
        chain: _Chain | None = self._chains[trial]
        while chain is not None:
            lines.append(chain[0])
            chain = chain[1]
        self._write(policy_file(trial), lines[::-1])

    def _write(self, name: str, lines: Sequence[str]) -> None:
        path = os.path.join(self._directory, name)
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        os.replace(f"{path}.new", path)
