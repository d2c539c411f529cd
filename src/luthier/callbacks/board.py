"""What a person looks at while trials run: kept up to date event by event, read off a few times a second."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.callbacks.spelling import STATUS_WORDS, configured, counted, duration, flat, short
from luthier.core import events as ev
from luthier.core.goal import lookup, number
from luthier.core.resources import fits
from luthier.core.terms import AUTOMATIC, HELD, Status, TrialId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from luthier.core.state import ExperimentState, TrialState

ROWS = 20
_PARAMETERS = 6  # columns of parameters
_METRICS = 3  # columns of metrics
_WAITS = 3  # reasons to wait that are told


class Row(msgspec.Struct, frozen=True):
    """One trial in the table; the cells belong to the snapshot's columns."""

    status: Status
    cells: tuple[str, ...]


class Best(msgspec.Struct, frozen=True):
    """The best trial so far."""

    name: str
    metric: str
    value: float
    config: str


class Snapshot(msgspec.Struct, frozen=True):
    """All that one picture shows.

    Attributes:
        counts: how many trials are in which state, by the words of :data:`STATUS_WORDS`; zeros are left out.
        total: how many trials there will be, or None.
        elapsed: seconds since the start.
        resources: e.g. ``"2 of 2 cpu, 0 of 1 gpu"``.
        waits: why trials wait, one line for each kind.
        best: the best trial so far, or None.
        columns: heads of the table.
        order: positions of the columns, those first that matter most where not all fit.
        rows: at most 20 trials, running ones first, then the best.
        left_out: how many trials have no row.
    """

    counts: dict[str, int]
    total: int | None
    elapsed: float
    resources: str
    waits: tuple[str, ...]
    best: Best | None
    columns: tuple[str, ...]
    order: tuple[int, ...]
    rows: tuple[Row, ...]
    left_out: int

    @property
    def progress(self) -> str:
        """Counts and time on one line."""
        total = sum(self.counts.values())
        of = f" of {self.total}" if self.total is not None and self.total != total else ""
        words = [f"{count} {word}" for word, count in self.counts.items()]
        said = [counted(total, "trial") + of, *words, duration(self.elapsed)]
        return " · ".join([*said, self.resources] if self.resources else said)


class Board:
    """Gathers from events what a snapshot needs; costs the same however many trials there are.

    The best trials are the best among the last few dozen that were good when they reported; who reported a worse
    result since may hide a trial that was dropped before.  The summary at the end looks at all trials.
    """

    def __init__(self, columns: Sequence[str] | None = None, rows: int = ROWS) -> None:
        self.rows = rows
        self.total: int | None = None  # how many trials there will be, where the experiment does not say
        self.metric_columns = None if columns is None else tuple(columns)
        self._good: dict[TrialId, float] = {}
        self._recent: dict[TrialId, None] = {}  # ended last; shown where there is no metric to rank by
        self._first: dict[str, object] | None = None
        self._varied: dict[str, None] = {}
        self._metrics: dict[str, None] = {}
        self._keys: object = None

    # -- hearing -----------------------------------------------------------------------------------------------------
    def hear(self, events: Iterable[ev.Event], experiment: ExperimentState) -> None:
        """Take in one batch."""
        if self._first is None and len(experiment) > 0:
            self.catch_up(experiment)
        for event in events:
            if isinstance(event, ev.Reported):
                self._report(event.trial, event.metrics, experiment)
            elif isinstance(event, ev.Proposed):
                self._compare(event.config)
            elif isinstance(event, ev.Ended):
                self._recent[event.trial] = None
                if len(self._recent) > 2 * ROWS:
                    del self._recent[next(iter(self._recent))]

    def catch_up(self, experiment: ExperimentState) -> None:
        """Look at all trials once: where an experiment goes on, or was read from its log."""
        for t in experiment.trials.values():
            self._compare(t.config)
            if t.metrics:
                self._report(t.id, t.metrics, experiment)
            if t.status.final:
                self._recent[t.id] = None
        for trial in list(self._recent)[: -2 * ROWS]:
            del self._recent[trial]

    def _report(self, trial: TrialId, metrics: Mapping[str, Any], experiment: ExperimentState) -> None:
        score = experiment.trials[trial].score
        if score is not None:
            self._good[trial] = score
            if len(self._good) > 8 * ROWS:
                best = heapq.nsmallest(2 * ROWS, self._good.items(), key=lambda item: item[1])
                self._good = dict(best)
        keys = metrics.keys()
        if keys != self._keys and len(self._metrics) < _METRICS:
            for name, value in flat(metrics):
                if name not in AUTOMATIC and number(value) is not None and len(self._metrics) < _METRICS:
                    self._metrics[name] = None
        self._keys = keys

    def _compare(self, config: Mapping[str, Any]) -> None:
        here = dict(flat(config))
        if self._first is None:
            self._first = here
            return
        if here.keys() != self._first.keys():
            self._varied |= dict.fromkeys(here.keys() ^ self._first.keys())
        for name, value in here.items():
            if name not in self._varied and name in self._first and not _same(value, self._first[name]):
                self._varied[name] = None

    # -- telling -----------------------------------------------------------------------------------------------------
    def snapshot(self, experiment: ExperimentState, elapsed: float) -> Snapshot:
        """Return what there is to see now; costs as much as it shows."""
        metrics, parameters = self._columns(experiment)
        columns = ("trial", "status", "iter", "time", *metrics, *parameters)
        goals = min(len(metrics), len(experiment.goals))
        first = 4 + goals  # of the metrics that are not optimised: they go first where there is no room
        shown = list(self._shown(experiment))
        rows = tuple(self._row(experiment.trials[trial], metrics, parameters) for trial in shown)
        return Snapshot(
            counts=counts(experiment),
            total=self.total if experiment.num_trials is None else experiment.num_trials,
            elapsed=elapsed,
            resources=usage(experiment),
            waits=tuple(waits(experiment)),
            best=self.best(experiment),
            columns=columns,
            order=tuple(sorted(range(len(columns)), key=lambda i: first <= i < first + len(metrics) - goals)),
            rows=rows,
            left_out=len(experiment) - len(rows),
        )

    def best(self, experiment: ExperimentState) -> Best | None:
        """Return the best trial so far; None where nothing was reported that could be ranked."""
        if not self._good or not experiment.goals:
            return None
        return best_of(experiment, min(self._good, key=lambda trial: self._good[trial]))

    def _columns(self, experiment: ExperimentState) -> tuple[list[str], list[str]]:
        goals = [goal.metric for goal in experiment.goals]
        metrics = list(self.metric_columns) if self.metric_columns is not None else [*dict.fromkeys(
            [*goals, *self._metrics],
        )][: max(_METRICS, len(goals))]  # fmt: skip
        parameters = list(self._varied) or list(self._first or {})
        if self._first is not None:  # in the order of the config, where it is known
            order = {name: i for i, name in enumerate(self._first)}
            parameters.sort(key=lambda name: order.get(name, len(order)))
        return metrics, parameters[:_PARAMETERS]

    def _shown(self, experiment: ExperimentState) -> Iterator[TrialId]:
        left = self.rows
        seen: set[TrialId] = set()
        by_score = sorted(self._good, key=lambda trial: self._good[trial])
        for group in (
            *(experiment.by_status[status] for status in HELD),
            by_score,
            reversed(self._recent),
            experiment.by_status[Status.PENDING],
            experiment.by_status[Status.PAUSED],
        ):
            for trial in group:
                if not left:
                    return
                if trial not in seen:
                    seen.add(trial)
                    left -= 1
                    yield trial

    def _row(self, t: TrialState, metrics: Sequence[str], parameters: Sequence[str]) -> Row:
        config = dict(flat(t.config))
        seconds = number(t.metrics.get("time_total_s"))
        cells = [
            short(t.label.name or t.id),
            STATUS_WORDS[t.status],
            short(t.metrics.get("training_iteration")),
            "" if seconds is None else duration(seconds),
            *(short(lookup(t.metrics, name), 14) for name in metrics),
            *(short(config.get(name), 20) for name in parameters),
        ]
        return Row(t.status, tuple(cells))


def counts(experiment: ExperimentState) -> dict[str, int]:
    """Return how many trials are in which state, by the words that people read; zeros are left out."""
    found = dict.fromkeys(("running", "waiting", "paused", "done", "stopped", "failed"), 0)
    for status, trials in experiment.by_status.items():
        found[STATUS_WORDS[status]] += len(trials)
    return {word: count for word, count in found.items() if count}


def best_of(experiment: ExperimentState, trial: TrialId) -> Best | None:
    """Return *trial* as the best one; None if it was never ranked."""
    t, goal = experiment.trials[trial], experiment.goals[0]
    if t.score is None:
        return None
    return Best(t.label.name or t.id, goal.metric, goal.value(t.score), configured(t.config))


def usage(experiment: ExperimentState) -> str:
    """Return what is in use of what there is, over all workers; internal resources are left out."""
    total, free = _sums(experiment)
    told = [name for name in total if not name.startswith("_") and (name != "memory" or free[name] < total[name])]
    return ", ".join(f"{total[name] - free[name]:g} of {total[name]:g} {name}" for name in told)


def waits(experiment: ExperimentState) -> Iterator[str]:
    """Yield what waiting trials wait for, a line for each thing that they ask for."""
    if not experiment.workers:
        return
    total, free = _sums(experiment)
    for told, (key, trials) in enumerate(experiment.waiting.items()):
        if told == _WAITS:
            yield f"and {len(experiment.waiting) - _WAITS} other kinds of trials wait"
            return
        asks = dict(key)
        who = f"{counted(len(trials), 'trial')} {'waits' if len(trials) == 1 else 'wait'} for"
        lacking = [name for name, amount in asks.items() if not fits({name: amount}, free)]
        if lacking:
            what = [f"{asks[n]:g} {n}; {max(0.0, free.get(n, 0)):g} of {total.get(n, 0):g} free" for n in lacking]
            yield f"{who} {', '.join(what)}"
        elif experiment.room(asks) is None:
            yield f"{who} one worker with {', '.join(f'{amount:g} {name}' for name, amount in asks.items())} free"
        else:
            yield f"{who} their turn" if len(trials) > 1 else f"{who} its turn"


def _sums(experiment: ExperimentState) -> tuple[dict[str, float], dict[str, float]]:
    total: dict[str, float] = {}
    free: dict[str, float] = {}
    for w in experiment.workers.values():
        for name, amount in w.resources.items():
            total[name] = total.get(name, 0.0) + amount
            free[name] = free.get(name, 0.0) + w.free.get(name, 0.0)
    return total, {name: round(amount, 9) for name, amount in free.items()}


def _same(one: object, other: object) -> bool:
    try:
        return bool(one is other or (type(one) is type(other) and one == other))
    except Exception:  # noqa: BLE001 (arrays and the like: say that they differ)
        return False
