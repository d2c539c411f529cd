"""The console in a notebook: one output that is replaced as things change."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol

from luthier.callbacks.board import Board
from luthier.callbacks.html import snapshot_html, summary_html
from luthier.callbacks.plain import Tale

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.core.events import Event
    from luthier.core.state import ExperimentState

PER_SECOND = 2


class Output(Protocol):
    """A place in the notebook that can be written anew."""

    def show(self, html: str) -> None:
        """Show *html* in place of what was there."""


class IPythonOutput:
    """A display of IPython's."""

    def __init__(self) -> None:
        self._handle: object = None

    def show(self, html: str) -> None:
        """Show *html*; the first time where the cell's output is now."""
        display = __import__("importlib").import_module("IPython.display")
        if self._handle is None:
            self._handle = display.display(display.HTML(html), display_id=True)
        else:
            self._handle.update(display.HTML(html))  # type: ignore[attr-defined]


class Notebook:
    """Shows the table as HTML; errors are lines of plain text below it."""

    def __init__(
        self, *, verbose: int = 1, output: Output | None = None, columns: Sequence[str] | None = None, started: float
    ) -> None:
        self._output: Output = output or IPythonOutput()
        self._started = started
        self.board, self._tale = Board(columns), Tale(verbose, ends=False)
        self._experiment: ExperimentState | None = None
        self._next = 0.0

    def say(self, lines: Iterable[str]) -> None:
        """Print *lines* into the cell's output."""
        for line in lines:
            sys.stdout.write(f"{line}\n")

    def finish(self, lines: Iterable[str]) -> None:
        """Show the summary in an output of its own."""
        type(self._output)().show(summary_html(lines))

    def on_events(self, events: Sequence[Event], experiment: ExperimentState) -> None:
        """Take note; the table follows at its own pace."""
        self._experiment = experiment
        self.board.hear(events, experiment)
        self.say(self._tale.lines(events, experiment))

    def on_tick(self, now: float) -> None:
        """Show the table, where the last one is old enough."""
        self.say(self._tale.tick(now))
        if now >= self._next and self._experiment is not None:
            self._next = now + 1 / PER_SECOND
            self._draw(now)

    def close(self) -> None:
        """Show the last table."""
        if self._experiment is not None:
            self._draw(time.time())
        self._experiment = None

    def _draw(self, now: float) -> None:
        assert self._experiment is not None  # noqa: S101 (for the type checker)
        self._output.show(snapshot_html(self.board.snapshot(self._experiment, now - self._started)))
