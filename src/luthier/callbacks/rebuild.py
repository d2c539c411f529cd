"""Result files made anew from the log: after a crash they may lack the last moments."""

from __future__ import annotations

import contextlib
import csv
import logging
import os
from typing import TYPE_CHECKING

from luthier.callbacks.csv_table import header_of
from luthier.callbacks.result_files import CSV, JSON, ResultFiles, done, stopped_in
from luthier.callbacks.row_text import RowText
from luthier.core import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from luthier.core.terms import Label, TrialId
    from luthier.store.base import Record

_log = logging.getLogger("luthier")


def rebuild(
    experiment_dir: str | os.PathLike[str], records: Iterable[Record], only: Collection[TrialId] | None = None
) -> int:
    """Write ``result.json`` and ``progress.csv`` anew from *records*; return for how many trials.

    Args:
        experiment_dir: the experiment's directory.
        records: its log from the beginning.
        only: the trials whose files are made; all where None.
    """
    files = ResultFiles(experiment_dir)
    labels: dict[TrialId, Label] = {}
    begun: set[TrialId] = set()
    for record in records:
        stopped = stopped_in(record.events)
        for event in record.events:
            if isinstance(event, ev.Proposed):
                if only is None or event.trial in only:
                    labels[event.trial] = event.label
            elif isinstance(event, ev.Launched | ev.Reported | ev.Exited) and event.trial in labels:
                if isinstance(event, ev.Launched):
                    if event.trial not in begun:
                        begun.add(event.trial)
                        _remove(os.path.join(os.fspath(experiment_dir), labels[event.trial].folder))
                    files.begin(event.trial, labels[event.trial], event.config, fresh=False)
                elif isinstance(event, ev.Reported):
                    files.add(done(event) if event.trial in stopped else event, record.at)
                else:
                    files.end(event.trial)
    files.close()
    return len(begun)


def _remove(folder: str) -> None:
    for name in (JSON, CSV):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, name))


def behind(experiment_dir: str | os.PathLike[str], records: Iterable[Record]) -> set[TrialId]:
    """Return the trials whose result files do not hold what *records* (the log from its beginning) do.

    Rows are counted and columns compared; that is quicker than to make them anew.
    """
    expected = Expected()
    for record in records:
        expected.hear(record)
    return set(expected.excess(experiment_dir))


def bring_up_to_date(
    experiment_dir: str | os.PathLike[str], read: Callable[[], Iterable[Record]], expected: Expected | None = None
) -> int:
    """Rebuild the files that are behind the log, or ahead of it; return of how many trials.

    Results are written there after they are in the log.  Where there are more of them, the log has lost some, which is
    said; they go, or they would be there twice once their trials report them again.

    Args:
        experiment_dir: the experiment's directory.
        read: gives its log from the beginning, such as ``store.read``.
        expected: what the files are to hold, where the log has been read already; it is read for that otherwise.
    """
    if expected is None:
        expected = Expected()
        for record in read():
            expected.hear(record)
    excess = expected.excess(experiment_dir)
    ahead = sum(rows for rows in excess.values() if rows > 0)
    if ahead:
        _log.warning(
            "%s: the result files hold %d results that the log lacks: it has lost its end (a power cut, or somebody "
            "cut it). The experiment goes on from where the log ends",
            experiment_dir, ahead,
        )  # fmt: skip
    return rebuild(experiment_dir, read(), excess.keys()) if excess else 0


class Expected:
    """What the result files of all trials are to hold, gathered record by record."""

    def __init__(self) -> None:
        self._tables: dict[TrialId, _Table] = {}
        self._columns: dict[tuple[object, ...], dict[str, None]] = {}  # by the names in a report

    def hear(self, record: Record) -> None:
        """Take in the next record of the log."""
        for event in record.events:
            if isinstance(event, ev.Reported):
                table = self._tables[event.trial]
                table.rows += 1
                names = tuple(event.metrics)
                nested = dict in map(type, event.metrics.values())
                if nested or names != table.names:
                    table.names = None if nested else names  # the same names may hold something else next
                    table.columns |= self._columns_of(event, None if nested else (event.checkpoint is None, *names))
            elif isinstance(event, ev.Proposed):
                self._tables[event.trial] = _Table(event.label.folder)

    def excess(self, experiment_dir: str | os.PathLike[str]) -> dict[TrialId, int]:
        """Return the trials whose files in *experiment_dir* hold something else, and how many rows more each has."""
        directory = os.fspath(experiment_dir)
        return {trial: table.excess for trial, table in self._tables.items() if not table.is_in(directory)}

    def _columns_of(self, event: ev.Reported, key: tuple[object, ...] | None) -> dict[str, None]:
        columns = None if key is None else self._columns.get(key)
        if columns is None:
            columns = dict.fromkeys(RowText(event.trial, {}, "").encode(event, 0.0)[1])
            if key is not None:
                self._columns[key] = columns
        return columns


class _Table:
    """How many rows a trial's files must have, and under which columns."""

    __slots__ = ("columns", "excess", "folder", "names", "rows")

    def __init__(self, folder: str) -> None:
        self.folder, self.rows = folder, 0
        self.excess = 0  # rows in the file that the log has not, once looked at
        self.columns: dict[str, None] = {}
        self.names: tuple[str, ...] | None = None

    def is_in(self, directory: str) -> bool:
        folder = f"{directory}{os.sep}{self.folder}{os.sep}"
        try:
            lines = _lines_in(folder + JSON)
            self.excess = lines - self.rows
            if not self.rows and not lines:
                return True
            return (
                lines == self.rows
                and header_of(folder + CSV)[0] == list(self.columns)
                and _rows_in(folder + CSV) == self.rows + 1
            )
        except FileNotFoundError:
            return not self.rows
        except (OSError, UnicodeDecodeError, csv.Error):
            return False


def _lines_in(path: str) -> int:
    """Return how many lines the file at *path* has; -1 where the last one is cut short."""
    lines, last = 0, b"\n"
    with open(path, "rb", buffering=0) as file:
        while block := file.read(1 << 20):
            lines, last = lines + block.count(b"\n"), block[-1:]
    return lines if last == b"\n" else -1


def _rows_in(path: str) -> int:
    """Return how many rows the table at *path* has, its header among them; -1 where the last one is cut short."""
    lines, last, simple = 0, b"\n", True
    with open(path, "rb") as file:
        for last in file:
            lines += 1
            simple = simple and not last.count(b'"') % 2  # or a cell of several lines begins or ends here
    if not last.endswith(b"\n"):
        return -1
    if simple:
        return lines
    with open(path, encoding="utf-8", newline="") as text:
        return sum(1 for _ in csv.reader(text))
