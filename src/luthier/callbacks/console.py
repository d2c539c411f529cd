"""What a person sees while an experiment runs: chooses between a live table, plain lines and a notebook's HTML."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol, TextIO

from msgspec.structs import replace

from luthier.callbacks.plain import Plain
from luthier.callbacks.plan import Plan, plan_line
from luthier.callbacks.spelling import chosen
from luthier.callbacks.summary import Summary, summary_lines
from luthier.core.errors import BadArgument
from luthier.core.events import Proposed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.callbacks.board import Board
    from luthier.core.events import Event
    from luthier.core.state import ExperimentState

MOST = 3  # the largest verbose


class _Face(Protocol):
    board: Board

    def say(self, lines: Iterable[str]) -> None: ...
    def on_events(self, events: Sequence[Event], experiment: ExperimentState) -> None: ...
    def on_tick(self, now: float) -> None: ...
    def close(self) -> None: ...
    def finish(self, lines: Iterable[str]) -> None: ...


class Console:
    r"""A :class:`~luthier.callbacks.base.Listener` that talks to a person.

    Args:
        verbose: 0 says nothing; 1 the plan, progress, errors and a summary; 2 results as well, so many per second at
            most; 3 everything.
        stream: where to write; ``sys.stdout`` by default.  A terminal gets a live table, anything else plain lines.
        columns: metrics to show in the table; those that are optimised, and the first that were reported, by default.
        started: when the experiment started, in unix seconds; now by default.
        redirect: False where something else owns the terminal: plain lines then.
        progress: False where somebody else tells how far it got: the plan, errors and the summary as plain lines then.

    >>> import io; out = io.StringIO(); console = Console(stream=out)
    >>> console.start(Plan(trials=1, directory="results/quick")); out.getvalue()
    '1 trial, random search, as many at a time as fit; results in results/quick\n'
    """

    def __init__(
        self,
        verbose: int = 1,
        stream: TextIO | None = None,
        *,
        columns: Sequence[str] | None = None,
        started: float | None = None,
        redirect: bool = True,
        progress: bool = True,
    ) -> None:
        if isinstance(verbose, bool) or not isinstance(verbose, int) or not 0 <= verbose <= MOST:
            raise BadArgument("verbose", verbose, "0 (nothing), 1 (progress), 2 (results too) or 3 (everything)")
        self.verbose = verbose
        started = time.time() if started is None else started
        self._face: _Face | None = None
        if not verbose:
            return
        out = sys.stdout if stream is None else stream
        if not progress:
            self._face = Plain(verbose=verbose, stream=stream, columns=columns, started=started, progress=False)
        elif stream is None and in_notebook():
            from luthier.callbacks.notebook import Notebook

            self._face = Notebook(verbose=verbose, columns=columns, started=started)
        elif redirect and _is_terminal(out):
            from rich.console import Console as RichConsole

            from luthier.callbacks.live import Live

            console = RichConsole(file=stream, highlight=False, markup=False, emoji=False)
            self._face = Live(verbose=verbose, console=console, columns=columns, started=started)
        else:
            self._face = Plain(verbose=verbose, stream=stream, columns=columns, started=started)

    def start(self, plan: Plan) -> None:
        """Say what is about to be run."""
        if self._face is not None:
            self._face.board.total = plan.trials
        self.say([plan_line(plan)])

    def say(self, lines: Iterable[str]) -> None:
        """Say *lines*, in between."""
        if self._face is not None:
            self._face.say(lines)

    def on_events(self, events: Sequence[Event], experiment: ExperimentState) -> None:
        """Take note; say who chooses configs from now on, where that is another one."""
        if self._face is None:
            return
        new = {event.number for event in events if isinstance(event, Proposed)}
        for number, why in experiment.choosers[1:]:
            if number in new:
                self.say([f"Search: {chosen([(number, why)])}"])
        self._face.on_events(events, experiment)

    def on_tick(self, now: float) -> None:
        """Show what has changed, where it is time to."""
        if self._face is not None:
            self._face.on_tick(now)

    def close(self) -> None:
        """Show the last state; the terminal is left as it was."""
        if self._face is not None:
            self._face.close()

    def finish(self, summary: Summary) -> None:
        """Close, and say what came of it and how to go on."""
        if self._face is None:
            return
        self._face.close()
        if summary.planned is None:
            summary = replace(summary, planned=self._face.board.total)
        self._face.finish(summary_lines(summary))


def in_notebook() -> bool:
    """Return whether a notebook's kernel runs this (not IPython in a terminal, which is a terminal)."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return shell is not None and type(shell).__name__ != "TerminalInteractiveShell"


def _is_terminal(stream: TextIO) -> bool:
    import os

    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):
        return False
