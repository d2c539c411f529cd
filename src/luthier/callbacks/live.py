"""The console in a terminal: a table that is drawn anew a few times a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from luthier.callbacks.board import Board, Snapshot
from luthier.callbacks.plain import Tale
from luthier.callbacks.spelling import plain_text, short
from luthier.core.terms import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console, Group
    from rich.live import Live as RichLive

    from luthier.core.events import Event
    from luthier.core.state import ExperimentState

PER_SECOND = 4
_GAP = 2  # between columns
_AROUND = 9  # lines of the picture that are no rows of the table
_STYLES: Mapping[Status, str] = {
    Status.RUNNING: "cyan",
    Status.HALTING: "cyan",
    Status.DONE: "green",
    Status.STOPPED: "dim",
    Status.FAILED: "red",
    Status.PAUSED: "yellow",
}


class Live:
    """Draws a table on *console*; lines about errors go above it and stay."""

    def __init__(
        self, *, verbose: int = 1, console: Console, columns: Sequence[str] | None = None, started: float
    ) -> None:
        self._console, self._started = console, started
        self.board, self._tale = Board(columns), Tale(verbose, ends=False)
        self._experiment: ExperimentState | None = None
        self._next = 0.0
        self._news = True
        self._live: RichLive | None = None

    def say(self, lines: Iterable[str]) -> None:
        """Print *lines* above the table, as they are."""
        for line in lines:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def finish(self, lines: Iterable[str]) -> None:
        """Say the summary."""
        self.say(["", *lines])

    def on_events(self, events: Sequence[Event], experiment: ExperimentState) -> None:
        """Take note; the table follows at its own pace."""
        self._experiment, self._news = experiment, True
        self.board.hear(events, experiment)
        self.say(self._tale.lines(events, experiment))

    def on_tick(self, now: float) -> None:
        """Draw, where the last picture is old enough."""
        self.say(self._tale.tick(now))
        if now < self._next or self._experiment is None:
            return
        self._next = now + 1 / PER_SECOND
        self._draw(now)

    def close(self) -> None:
        """Draw the last picture and leave it there."""
        if self._experiment is not None:
            self._draw(time.time())
        if self._live is not None:
            self._live.stop()
        self._experiment = self._live = None

    def _draw(self, now: float) -> None:
        from rich.live import Live as RichLive

        assert self._experiment is not None  # noqa: S101 (for the type checker)
        self.board.rows = max(3, min(20, self._console.size.height - _AROUND))
        picture = drawn(self.board.snapshot(self._experiment, now - self._started), self._console.width)
        if self._live is None:
            self._live = RichLive(picture, console=self._console, auto_refresh=False)
            self._live.start(refresh=True)
        else:
            self._live.update(picture, refresh=True)


def drawn(snapshot: Snapshot, width: int = 120) -> Group:
    """Return *snapshot* as something that rich prints; nothing in it is read as markup.

    Columns that do not fit into *width* characters are left out, rather than all made unreadable.
    """
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold", expand=False)
    columns = _fitting(snapshot, width)
    for i in columns:
        table.add_column(Text(plain_text(snapshot.columns[i])), no_wrap=True, overflow="ellipsis")
    for row in snapshot.rows:
        style = _STYLES.get(row.status, "")
        table.add_row(*(Text(plain_text(row.cells[i]), style=style if i == 1 else "") for i in columns))
    parts: list[Text | Table] = [Text(snapshot.progress, style="bold")]
    if snapshot.best is not None:
        best = snapshot.best
        parts.append(Text(plain_text(f"best {best.metric} = {short(best.value)}: {best.name}  {best.config}")))
    parts += [Text(plain_text(line), style="yellow") for line in snapshot.waits]
    if snapshot.rows:
        parts.append(table)
    if snapshot.left_out > 0 and snapshot.rows:
        parts.append(Text(f"... and {snapshot.left_out} more", style="dim"))
    return Group(*parts)


def _fitting(snapshot: Snapshot, width: int) -> list[int]:
    fitting: list[int] = []
    left = width
    for i in snapshot.order:
        left -= max(len(snapshot.columns[i]), *(len(row.cells[i]) for row in snapshot.rows), 0) + _GAP
        if left < -_GAP and fitting:
            break
        fitting.append(i)
    return sorted(fitting)
