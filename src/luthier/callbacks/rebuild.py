"""Result files made anew from the log: after a crash they may lack the last moments."""

from __future__ import annotations

import contextlib
import csv
import logging
import os
from typing import TYPE_CHECKING

from luthier.callbacks.csv_table import header_of
from luthier.callbacks.result_files import CSV, JSON, ResultFiles
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
                    files.add(event, record.at)
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
    return set(_excess(experiment_dir, records))


def bring_up_to_date(experiment_dir: str | os.PathLike[str], read: Callable[[], Iterable[Record]]) -> int:
    """Rebuild the files that are behind the log, or ahead of it; return of how many trials.

    Results are written there after they are in the log.  Where there are more of them, the log has lost some, which is
    said; they go, or they would be there twice once their trials report them again.

    Args:
        experiment_dir: the experiment's directory.
        read: gives its log from the beginning, such as ``store.read``; called twice where something is behind.
    """
    excess = _excess(experiment_dir, read())
    ahead = sum(rows for rows in excess.values() if rows > 0)
    if ahead:
        _log.warning(
            "%s: the result files hold %d results that the log lacks: it has lost its end (a power cut, or somebody "
            "cut it). The experiment goes on from where the log ends",
            experiment_dir, ahead,
        )  # fmt: skip
    return rebuild(experiment_dir, read(), excess.keys()) if excess else 0


def _excess(experiment_dir: str | os.PathLike[str], records: Iterable[Record]) -> dict[TrialId, int]:
    """Return the trials whose files differ from the log, and how many rows more than the log each has."""
    told: dict[TrialId, _Told] = {}
    for record in records:
        for event in record.events:
            if isinstance(event, ev.Proposed):
                told[event.trial] = _Told(event.label.folder)
            elif isinstance(event, ev.Reported):
                told[event.trial].add(event)
    return {trial: t.excess for trial, t in told.items() if not t.is_in(os.fspath(experiment_dir))}


class _Told:
    """How many rows a trial's files must have, and under which columns."""

    __slots__ = ("columns", "excess", "folder", "keys", "rows")

    def __init__(self, folder: str) -> None:
        self.folder, self.rows = folder, 0
        self.excess = 0  # rows in the file that the log has not, once looked at
        self.columns: dict[str, None] = {}
        self.keys: list[str] | None = None

    def add(self, event: ev.Reported) -> None:
        self.rows += 1
        keys = list(event.metrics)
        if keys != self.keys or dict in map(type, event.metrics.values()):
            self.keys = keys
            _, cells = RowText(event.trial, {}, "").encode(event, 0.0)
            self.columns |= dict.fromkeys(cells)

    def is_in(self, directory: str) -> bool:
        folder = os.path.join(directory, self.folder)
        try:
            with open(os.path.join(folder, JSON), "rb") as file:
                lines, last = 0, b"\n"
                while block := file.read(1 << 20):
                    lines, last = lines + block.count(b"\n"), block[-1:]
            self.excess = lines - self.rows
            table = os.path.join(folder, CSV)
            if not self.rows and not lines:
                return True
            if lines != self.rows or last != b"\n" or header_of(table)[0] != list(self.columns):
                return False
            with open(table, encoding="utf-8", newline="") as text:
                return sum(1 for _ in csv.reader(text)) == self.rows + 1
        except FileNotFoundError:
            return not self.rows
        except (OSError, UnicodeDecodeError, csv.Error):
            return False
