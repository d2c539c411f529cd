"""Trials of an earlier experiment, for a search algorithm to begin with."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.events import Ended, Halted
from luthier.core.goal import lookup, number
from luthier.core.terms import Status
from luthier.search.observations import rung_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from luthier.core.state import TrialState
    from luthier.core.terms import TrialId


class Evaluated(NamedTuple):
    """A trial that was evaluated before.

    Attributes:
        config: its config.
        values: its last value of each metric; None where it failed or lacks one.
        rung: how far it came, if it was stopped early.
    """

    config: dict[str, Any]
    values: tuple[float, ...] | None
    rung: float | None = None


def evaluated(source: Any, metric: str | Sequence[str]) -> list[Evaluated]:
    """Return the trials of *source* that have come to their end, in its order.

    Args:
        source: an experiment's directory (or URL), a ResultGrid, an ExperimentAnalysis, a trial or a list of trials or
            results, or a DataFrame with columns ``config/...`` and one for *metric*.
        metric: whose values count, or a list of such.

    Raises:
        BadArgument: it is none of these, or no trial in it has *metric*.
    """
    names = [metric] if isinstance(metric, str) else metric
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) and name for name in names):
        raise BadArgumentType("metric", metric, "the name of a metric, or a list of such")
    found = list(_trials(source, names))
    if not any(one.values is not None for one in found):
        raise BadArgument("metric", metric, "a metric that the trials reported", f"none of {len(found)} trials has it")
    return found


def _trials(source: Any, metrics: Sequence[str]) -> Iterator[Evaluated]:
    from luthier.tune.analysis import ExperimentAnalysis
    from luthier.tune.past import Past
    from luthier.tune.result import Result
    from luthier.tune.result_grid import ResultGrid
    from luthier.tune.trial import Trial

    if isinstance(source, (str, os.PathLike)):
        past = Past(source)
        yield from _of_states(((state, past.directory) for state in past.experiment.trials.values()), metrics)
    elif isinstance(source, ResultGrid):
        yield from _of_states(((state, source._dir) for state in source._trials), metrics)  # noqa: SLF001
    elif isinstance(source, ExperimentAnalysis):
        yield from _of_states(((t._state, t.experiment_dir) for t in source.trials), metrics)  # noqa: SLF001
    elif hasattr(source, "columns") and hasattr(source, "to_dict"):
        yield from _of_table(source, metrics)
    else:
        listed = source if isinstance(source, (list, tuple)) else [source]
        if not all(isinstance(one, (Trial, Result)) for one in listed):
            wanted = "a path, a ResultGrid, an ExperimentAnalysis, a list of trials or results, or a DataFrame"
            raise BadArgumentType("trials_or_analysis", source, wanted)
        pairs = ((t._state, t.experiment_dir if isinstance(t, Trial) else t._dir) for t in listed)  # noqa: SLF001
        yield from _of_states(pairs, metrics)


def _of_states(states: Iterable[tuple[TrialState, str]], metrics: Sequence[str]) -> Iterator[Evaluated]:
    rungs: dict[str, dict[TrialId, float | None]] = {}  # by directory
    for state, directory in states:
        if not state.status.final:
            continue
        values, rung = _known([lookup(state.metrics, name) for name in metrics]), None
        if state.status is Status.FAILED:
            values = None
        elif state.status is Status.STOPPED:
            if directory not in rungs:
                rungs[directory] = _rungs(directory)
            rung = rungs[directory].get(state.id)
        yield Evaluated(state.config, values, rung)


def _rungs(directory: str) -> dict[TrialId, float | None]:
    """Return where trials were cut short, by what the log says."""
    from luthier.tune.past import events_of

    told = (Ended, Halted)  # the end of a trial that ran does not say again why it was to stop
    return {event.trial: rung_of(event.why) for event in events_of(directory) if isinstance(event, told) and event.why}


def _of_table(table: Any, metrics: Sequence[str]) -> Iterator[Evaluated]:
    whole = {column for column in table.columns if _was_whole(table[column])}
    for row in table.to_dict("records"):
        config: dict[str, Any] = {}
        for column, value in row.items():
            if str(column).startswith("config/") and not _missing(value):
                *path, last = str(column).split("/")[1:]
                inside = config
                for part in path:
                    inside = inside.setdefault(part, {})
                inside[last] = int(value) if column in whole else value.item() if hasattr(value, "item") else value
        if not config:
            raise BadArgument("trials_or_analysis", list(table.columns), "a DataFrame with columns config/...")
        yield Evaluated(config, _known([row.get(name) for name in metrics]))


def _known(values: Iterable[object]) -> tuple[float, ...] | None:
    """Return *values* as numbers; None where one is missing or NaN."""
    found = [number(value) for value in values]
    known = tuple(value for value in found if value is not None and not math.isnan(value))
    return known if len(known) == len(found) else None


def _was_whole(column: Any) -> bool:
    """Whether *column* was one of whole numbers before some were missing, which made floats of them."""
    known = column.dropna()
    floats = getattr(column.dtype, "kind", "") == "f" and len(known) < len(column)
    return floats and all(float(value).is_integer() for value in known)


def _missing(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
