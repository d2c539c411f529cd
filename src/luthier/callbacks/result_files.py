"""``result.json`` and ``progress.csv`` of each trial: views of the log, written behind it in batches."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import msgspec

from luthier.callbacks.csv_table import Columns, header_of
from luthier.callbacks.row_text import RowText
from luthier.callbacks.written import Complaints, append
from luthier.core import events as ev
from luthier.core.terms import Then

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from luthier.core.state import ExperimentState
    from luthier.core.terms import Label, TrialId

JSON, CSV = "result.json", "progress.csv"
EVERY = 0.5  # seconds between two rounds of writing
_MANY = 256  # rows of one trial that are written without waiting for the next round
_HELD = 32 << 20  # bytes that are held back while nothing can be written


class TrialTable:
    """What is still to be written for one trial, and how."""

    __slots__ = ("columns", "csv", "csv_held", "csv_new", "json", "json_held", "json_new", "over", "reports", "text")

    def __init__(self, folder: str, text: RowText, *, fresh: bool) -> None:
        self.json, self.csv = f"{folder}{os.sep}{JSON}", f"{folder}{os.sep}{CSV}"
        self.text = text
        self.json_new = self.csv_new = fresh  # what is there, if anything, is overwritten
        self.columns = Columns() if fresh else Columns(*header_of(self.csv))
        self.reports: list[tuple[ev.Reported, float | None]] = []
        self.json_held = self.csv_held = b""
        self.over = False  # the attempt has exited

    @property
    def held(self) -> int:
        """How many bytes could not be written."""
        return len(self.json_held) + len(self.csv_held)

    def flush(self) -> OSError | None:
        """Write all that can be written; return what stood in the way, if anything."""
        if self.reports:
            rows = [self.text.encode(event, at) for event, at in self.reports]
            self.reports.clear()
            self.json_held += b"".join([row[0] for row in rows])
            self.csv_held += self.columns.lines([row[1] for row in rows])
        if self.json_held:
            size = len(self.json_held)
            self.json_held, trouble = append(self.json, self.json_held, fresh=self.json_new)
            self.json_new = self.json_new and len(self.json_held) == size
            if trouble:
                return trouble
        if self.csv_held:
            size = len(self.csv_held)
            self.csv_held, trouble = append(self.csv, self.csv_held, fresh=self.csv_new)
            self.csv_new = self.csv_new and len(self.csv_held) == size
            self.columns.size += size - len(self.csv_held)
            if trouble:
                return trouble
        if self.columns.stale and (self.over or self.columns.due):
            try:
                self.columns.rewrite(self.csv, self.json)
            except OSError as error:
                return error
            except ValueError as error:  # somebody else wrote into it
                return OSError(errno.EIO, f"it is damaged ({error})", self.json)
        return None


class ResultFiles:
    """Listener that writes ``result.json`` and ``progress.csv`` of each trial.

    Rows are held for up to half a second; they are written at the latest when the attempt ends and on :meth:`close`.
    No file stays open.  What cannot be written is kept and tried again; see :attr:`behind` for what that did not help.

    Args:
        experiment_dir: the experiment's directory; trials' directories in it are made where they are missing.

    Attributes:
        behind: trials whose files lack rows, for :func:`luthier.callbacks.rebuild.rebuild`.
    """

    def __init__(self, experiment_dir: str | os.PathLike[str]) -> None:
        self.behind: set[TrialId] = set()
        self._directory = os.fspath(experiment_dir)
        self._tables: dict[TrialId, TrialTable] = {}
        self._dirty: dict[TrialId, None] = {}
        self._next = 0.0
        self._complaints = Complaints()
        self._troubled = False
        self._held = 0  # bytes that could not be written yet, in all

    # -- as a listener -----------------------------------------------------------------------------------------------
    def on_events(self, events: Sequence[ev.Event], experiment: ExperimentState) -> None:
        """Take note of reports; write those of attempts that have exited."""
        stopped = stopped_in(events) if len(events) > 1 else ()
        for event in events:
            if isinstance(event, ev.Reported):
                table = self._tables.get(event.trial)
                if table is None:
                    t = experiment.trials[event.trial]
                    table = self.begin(t.id, t.label, t.config, fresh=False)
                table.reports.append((done(event) if event.trial in stopped else event, None))
                self._dirty[event.trial] = None
                if len(table.reports) >= _MANY:
                    self.write(event.trial)
            elif isinstance(event, ev.Launched):
                label = experiment.trials[event.trial].label
                self.begin(event.trial, label, event.config, fresh=event.attempt == 1)
            elif isinstance(event, ev.Exited):
                self.end(event.trial)

    def on_tick(self, now: float) -> None:
        """Write what was held back for half a second."""
        if now >= self._next:
            self._next = now + EVERY
            self.flush()

    def close(self) -> None:
        """Write everything, and bring every table up to its columns."""
        for trial in list(self._tables):
            self.end(trial)
        lost = self.behind | self._tables.keys()
        if lost:
            self.behind = lost
            self._complaints.given_up(self._directory, len(lost))
        self._tables.clear()
        self._dirty.clear()

    # -- by hand -----------------------------------------------------------------------------------------------------
    def begin(self, trial: TrialId, label: Label, config: Mapping[str, Any], *, fresh: bool) -> TrialTable:
        """Get ready for the reports of an attempt; where *fresh*, files that are there are overwritten."""
        text = RowText(trial, config, label.tag)
        table = self._tables.get(trial)
        if table is not None:  # another attempt before the last one could be written
            if table.reports:
                self.write(trial)
            table.text, table.over = text, False
        else:
            table = TrialTable(os.path.join(self._directory, label.folder), text, fresh=fresh)
            self._tables[trial] = table
        return table

    def add(self, event: ev.Reported, at: float) -> None:
        """Add a report that was stored at *at* to a trial that has begun."""
        table = self._tables[event.trial]
        table.reports.append((event, at))
        if len(table.reports) >= _MANY:
            self.write(event.trial)

    def end(self, trial: TrialId) -> None:
        """Write all there is of *trial* and forget it, if it could be written."""
        table = self._tables.get(trial)
        if table is not None:
            table.over = True
            self.write(trial)

    def flush(self) -> None:
        """Write what is held back of all trials."""
        for trial in list(self._dirty):
            self.write(trial)

    def write(self, trial: TrialId) -> None:
        """Write what is held back of *trial*."""
        table = self._tables[trial]
        before = table.held
        trouble = table.flush()
        self._held += table.held - before
        if trouble is None:
            self._dirty.pop(trial, None)
            if table.over:
                del self._tables[trial]
            if self._troubled and not self._held:
                self._troubled = False
                if not self.behind:
                    self._complaints.mended()
            return
        self._troubled = True
        self._complaints.failed(trouble.filename or table.json, trouble)
        self._dirty[trial] = None
        if self._held > _HELD:
            self.behind.add(trial)
            self._held -= table.held
            table.json_held = table.csv_held = b""


def stopped_in(events: Sequence[ev.Event]) -> set[TrialId]:
    """Return the trials that *events*, a batch, stop for good: what they report in it is their last result."""
    return {event.trial for event in events if isinstance(event, ev.Halted) and event.then is Then.STOP}


def done(report: ev.Reported) -> ev.Reported:
    """Return *report* as the last one of its trial, which says so (as it does in Ray Tune).

    >>> from luthier.core.terms import TrialId
    >>> done(ev.Reported(TrialId("t"), 1, 0, {"loss": 1, "done": False})).metrics
    {'loss': 1, 'done': True}
    """
    if report.metrics.get("done", True):  # one that never said is none of a worker's
        return report
    return msgspec.structs.replace(report, metrics={**report.metrics, "done": True})
