"""What came of an experiment, and how to go on, in a few lines at its end."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING

import msgspec

from luthier.callbacks.board import Best, best_of, counts
from luthier.callbacks.failures import FailureGroup, failure_lines, grouped
from luthier.callbacks.spelling import chosen, configured, counted, duration, plain_text, short
from luthier.core.terms import Config, Status
from luthier.search.dominance import front

if TYPE_CHECKING:
    from luthier.core.state import ExperimentState

# Reasons with which trials that never ran are ended are told too; a thousand texts need not be kept for that.
_TEXTS = 2000


class Summary(msgspec.Struct, kw_only=True):
    """The facts of an experiment that has ended or was interrupted.

    Attributes:
        counts: how many trials are in which state.
        elapsed: seconds that this session took.
        directory: where results are.
        best: the best trial, or None.
        config: its config.
        metric: what was optimised, or None.
        front: how many trials are on the Pareto front, where there are several metrics.
        goals: these metrics, each with its direction.
        failures: what went wrong, grouped.
        interrupted: whether it was stopped from outside, with work left to do.
        reason: why it stopped early, where that is known.
        error: what ended it, in one line, where its own driver failed.
        planned: how many trials there were to be, where that is known.
        search: who chose configs and why, where one or another could have.
    """

    counts: dict[str, int]
    elapsed: float
    directory: str
    best: Best | None = None
    config: Config = {}
    metric: str | None = None
    front: int | None = None
    goals: str = ""
    failures: list[FailureGroup] = []
    interrupted: bool = False
    reason: str = ""
    error: str = ""
    planned: int | None = None
    search: str = ""


def summarize(
    experiment: ExperimentState,
    *,
    elapsed: float,
    directory: str,
    interrupted: bool = False,
    reason: str = "",
    error: str = "",
) -> Summary:
    """Look at every trial once and return what came of them.

    The best trial is the one whose last report of the metric was best; among equals the first one.
    """
    best, config = None, {}
    if len(experiment.goals) == 1:
        ranked = [(t.score, t.number, t.id) for t in experiment.trials.values() if t.score is not None]
        if ranked:
            trial = min(ranked)[2]
            best, config = best_of(experiment, trial), experiment.trials[trial].config
    failed = [experiment.trials[trial] for trial in experiment.by_status[Status.FAILED]]
    return Summary(
        counts=counts(experiment),
        elapsed=elapsed,
        directory=directory,
        best=best,
        config=config,
        metric=experiment.goals[0].metric if experiment.goals else None,
        front=_on_front(experiment) if len(experiment.goals) > 1 else None,
        goals=" and ".join(f"{goal.metric} ({goal.mode})" for goal in experiment.goals),
        failures=grouped((t.label.name or t.id, t.label.folder if t.attempt else "", t.reason) for t in failed),
        interrupted=interrupted,
        reason=reason,
        error=error,
        planned=experiment.num_trials,
        search=chosen(experiment.choosers),
    )


def _on_front(experiment: ExperimentState) -> int:
    """Return how many trials no other is better than under all goals."""
    vectors = []
    for trial in experiment.trials.values():
        scores = [goal.score(trial.metrics) for goal in experiment.goals]
        known = [score for score in scores if score is not None and math.isfinite(score)]
        if len(known) == len(scores):
            vectors.append(known)
    if not vectors:
        return 0
    import numpy as np

    return int(front(np.array(vectors)).sum())


def summary_lines(summary: Summary) -> list[str]:
    """Return *summary* as lines of plain text."""
    words = [f"{count} {word}" for word, count in summary.counts.items()]
    there = sum(summary.counts.values())
    total = counted(there, "trial") + (f" of {summary.planned}" if (summary.planned or 0) > there else "")
    head = "Interrupted" if summary.interrupted else "Finished"
    if summary.interrupted and summary.reason == "failed":  # an error ends it, which is raised after this is said
        head = "Failed"
    why = f" ({plain_text(summary.reason)})" if summary.reason.lower() not in ("", head.lower()) else ""
    lines = [f"{head} after {duration(summary.elapsed)}{why}: {total}{': ' if words else ''}{', '.join(words)}."]
    if summary.error:
        lines.append(f"What failed: {plain_text(summary.error)}")
    if summary.best is not None:
        best = summary.best
        lines.append(f"Best: {plain_text(best.name)} with {plain_text(best.metric)} = {short(best.value)}")
        lines.append(f"  {configured(summary.config, 400)}")
    elif summary.front:
        lines.append(f"{counted(summary.front, 'trial')} on the Pareto front of {plain_text(summary.goals)}")
        lines.append("  see ResultGrid.pareto_front()")
    elif summary.metric is not None and summary.counts:
        lines.append(f"No trial reported {summary.metric!r}, so there is no best one.")
    if summary.search:
        lines.append(f"Chosen by: {summary.search}")
    if summary.failures:
        lines.append("What went wrong:")
        lines += failure_lines(summary.failures)
    lines.append(f"Results are in {summary.directory}")
    lines.append(f"  luthier show {shlex.quote(summary.directory)}")
    if summary.interrupted:
        lines.append("When that is put right, to go on:" if summary.error else "To go on where it stopped:")
        lines.append(f"  luthier resume {shlex.quote(summary.directory)}")
        lines.append(f"  Tuner.restore({summary.directory!r}, trainable).fit()")
    return lines
