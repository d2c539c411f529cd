"""The console where output is not a terminal: whole lines, few of them, nothing that a file could not hold."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from luthier.callbacks.board import Board
from luthier.callbacks.failures import headline, user_frames
from luthier.callbacks.spelling import STATUS_WORDS, configured, cut, duration, flat, plain_text, short
from luthier.core import events as ev
from luthier.core.goal import lookup, number
from luthier.core.terms import AUTOMATIC, Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from luthier.core.state import ExperimentState, TrialState

FIRST_ENDS = 8  # trials whose end is told one by one
EVERY = 5.0  # seconds between two lines of progress
_ERRORS = 20  # errors that are told one by one; all of them are in the summary, grouped
_RESULTS = 10  # result lines per second with verbose=2
_LOUD, _ALL = 2, 3


class Tale:
    """Tells events as lines: ends of trials, errors, with ``verbose`` >= 2 results; the rest is for the table."""

    def __init__(self, verbose: int = 1, *, ends: bool = True) -> None:
        self.verbose, self._ends = verbose, ends
        self._told_ends = self._told_errors = 0
        self._results = self._missed = 0
        self._second = 0

    def lines(self, events: Iterable[ev.Event], experiment: ExperimentState) -> Iterator[str]:
        """Yield what is to be said about *events*."""
        for event in events:
            match event:
                case ev.Reported() if self.verbose >= _LOUD:
                    yield from self._result(experiment.trials[event.trial], event)
                case ev.Exited(trial, attempt, outcome, error) if error and outcome in (Outcome.ERROR, Outcome.LOST):
                    yield from self._error(experiment.trials[trial], attempt, error, lost=outcome is Outcome.LOST)
                case ev.Ended(trial):
                    yield from self._end(experiment, experiment.trials[trial])
                case ev.StopRequested(reason):
                    yield f"Stopping: {plain_text(reason)}"
                case ev.WorkerLost(worker, on_purpose) if not on_purpose:
                    yield f"Worker {plain_text(worker)} was lost"
                case ev.Launched(trial, attempt) if self.verbose >= _ALL or (attempt > 1 and self.verbose >= _LOUD):
                    t = experiment.trials[trial]
                    yield f"{_name(t)} starts, attempt {attempt}: {configured(event.config)}"
                case ev.Halted(trial, _, then, reason) if self.verbose >= _ALL:
                    yield f"{_name(experiment.trials[trial])} is to {then.value}: {plain_text(reason)}"
                case _:
                    pass

    def tick(self, now: float) -> Iterator[str]:
        """Hear the time; what was left out for its number is counted."""
        if int(now) != self._second:
            self._second, self._results = int(now), 0
            if self._missed:
                yield f"({self._missed} more results)"
                self._missed = 0

    def _result(self, t: TrialState, event: ev.Reported) -> Iterator[str]:
        self._results += 1
        if self._results > _RESULTS and self.verbose < _ALL:
            self._missed += 1
            return
        told = [f"{name}={short(value)}" for name, value in flat(event.metrics) if name not in AUTOMATIC]
        step = event.metrics.get("training_iteration", event.seq + 1)
        yield cut(plain_text(f"{_name(t)} reports {short(step)}: {', '.join(told)}"), 400)

    def _error(self, t: TrialState, attempt: int, error: str, *, lost: bool) -> Iterator[str]:
        self._told_errors += 1
        if self._told_errors > _ERRORS and self.verbose < _ALL:
            return
        what = "was interrupted, which counts as no failure" if lost else "failed"
        yield f"{_name(t)} {what} (attempt {attempt}): {cut(headline(error), 300)}"
        frames = user_frames(error)
        if frames:
            yield f"    at {cut(frames[-1], 200)}"
        yield f"    more in {plain_text(t.label.folder)}/error.txt"
        if self._told_errors == _ERRORS and self.verbose < _ALL:
            yield "    (further errors are told at the end)"

    def _end(self, experiment: ExperimentState, t: TrialState) -> Iterator[str]:
        failed = t.status is Status.FAILED
        if failed and not t.attempt:  # it never ran: nobody else tells why
            yield f"{_name(t)} failed: {cut(plain_text(t.reason), 300)}"
        if failed or not self._ends:
            return
        self._told_ends += 1
        if self._told_ends > FIRST_ENDS and self.verbose < _LOUD:
            if self._told_ends == FIRST_ENDS + 1:
                yield "(more trials end; verbose=2 names each of them)"
            return
        said = []
        for goal in experiment.goals:
            value = lookup(t.metrics, goal.metric)
            if value is not None:
                said.append(f"{goal.metric}={short(value)}")
        seconds = number(t.metrics.get("time_total_s"))
        if seconds is not None:
            said.append(f"in {duration(seconds)}")
        if t.reason and t.status is Status.STOPPED:
            said.append(f"({cut(plain_text(t.reason), 80)})")
        yield plain_text(f"{_name(t)} {STATUS_WORDS[t.status]} {' '.join(said)}".rstrip())


def _name(t: TrialState) -> str:
    return plain_text(t.label.name or t.id)


class Plain:
    """Writes lines to *stream*: what :class:`Tale` tells, and *progress* every five seconds."""

    def __init__(
        self,
        *,
        verbose: int = 1,
        stream: TextIO | None = None,
        columns: Sequence[str] | None = None,
        started: float,
        progress: bool = True,
    ) -> None:
        self._stream, self._started, self._progress = stream, started, progress
        self.board, self._tale = Board(columns, rows=0), Tale(verbose, ends=progress)
        self._experiment: ExperimentState | None = None
        self._next = started + EVERY
        self._news = False

    def say(self, lines: Iterable[str]) -> None:
        """Write *lines*; an output that is gone is no reason to stop trials."""
        text = "".join(f"{line}\n" for line in lines)
        if not text:
            return
        stream = self._stream or sys.stdout
        if stream is None:  # a process without a console
            return
        try:
            try:
                stream.write(text)
            except UnicodeEncodeError:
                encoding = getattr(stream, "encoding", None) or "ascii"
                stream.write(text.encode(encoding, "replace").decode(encoding))
            stream.flush()
        except (OSError, ValueError):  # a closed pipe, a closed file
            pass

    def finish(self, lines: Iterable[str]) -> None:
        """Say the summary."""
        self.say(["", *lines])

    def on_events(self, events: Sequence[ev.Event], experiment: ExperimentState) -> None:
        """Tell what is worth a line."""
        self._experiment, self._news = experiment, True
        self.board.hear(events, experiment)
        self.say(self._tale.lines(events, experiment))

    def on_tick(self, now: float) -> None:
        """Tell how far it got, where five seconds have passed."""
        self.say(self._tale.tick(now))
        if not self._progress or now < self._next or self._experiment is None or not self._news:
            return
        self._next, self._news = now + EVERY, False
        snapshot = self.board.snapshot(self._experiment, now - self._started)
        lines = [snapshot.progress]
        if snapshot.best is not None:
            best = snapshot.best
            lines.append(f"    best {best.metric}={short(best.value)}: {plain_text(best.name)} ({best.config})")
        lines += [f"    {line}" for line in snapshot.waits if "turn" not in line]
        self.say(map(plain_text, lines))

    def close(self) -> None:
        """Say nothing more; the summary follows."""
        self.say(self._tale.tick(0.0))
        self._experiment = None
