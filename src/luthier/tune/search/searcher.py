"""The base of all search algorithms, with Ray Tune's methods: for those that users write, and for our own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.goal import number
from luthier.tune.goals import goals_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.goal import Goal


class Searcher:
    """Chooses the configs of trials; inherit, and write :meth:`suggest` and :meth:`on_trial_complete`.

    Args:
        metric: what is optimised, or a list of such; the Tuner's where None.
        mode: ``"min"`` or ``"max"``, or a list with one for each metric; the Tuner's where None.

    Attributes:
        FINISHED: what :meth:`suggest` returns when there is nothing left to try.

    Raises:
        BadArgument: *mode* is neither, or does not fit *metric*.
    """

    FINISHED: ClassVar[str] = "FINISHED"

    def __init__(self, metric: str | Sequence[str] | None = None, mode: str | Sequence[str] | None = None) -> None:
        if mode is not None and metric is not None:
            goals_of(metric, mode)
        elif mode is not None and any(m not in ("min", "max") for m in ([mode] if isinstance(mode, str) else mode)):
            raise BadArgument("mode", mode, "'min' or 'max', or a list of these")
        self._metric, self._mode = metric, mode

    @property
    def metric(self) -> str | Sequence[str] | None:
        """What is optimised."""
        return self._metric

    @property
    def mode(self) -> str | Sequence[str] | None:
        """In which direction."""
        return self._mode

    def set_search_properties(
        self,
        metric: str | Sequence[str] | None,
        mode: str | Sequence[str] | None,
        config: Mapping[str, Any],
        **_spec: Any,
    ) -> bool:
        """Take over what the Tuner says; return whether that was possible."""
        if metric is not None and self._metric is None:
            self._metric = metric
        if mode is not None and self._mode is None:
            self._mode = mode
        return False

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the config of a new trial; None for "not now", :attr:`FINISHED` for "never again"."""
        raise NotImplementedError(f"{type(self).__name__} must define suggest(trial_id)")

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Hear of a result on the way."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Hear of a trial's end: its last result, None where it never had one."""

    def add_evaluated_point(
        self,
        parameters: dict[str, Any],
        value: float,
        error: bool = False,
        pruned: bool = False,
        intermediate_values: list[float] | None = None,
    ) -> None:
        """Learn of a config whose *value* is known.

        Raises:
            NotImplementedError: this search algorithm cannot.
        """
        raise NotImplementedError(f"{type(self).__name__} does not take evaluated points")

    def add_evaluated_trials(self, trials_or_analysis: Any, metric: str | Sequence[str]) -> None:
        """Learn of the trials of an earlier experiment, by :meth:`add_evaluated_point`; see ``SpaceSearcher`` for what.

        Raises:
            BadArgument: it is no experiment, or no trial has *metric*.
        """
        from luthier.tune.search.earlier import evaluated

        for config, values, rung in evaluated(trials_or_analysis, metric):
            last: Any = math.nan if values is None else values[0] if isinstance(metric, str) else list(values)
            self.add_evaluated_point(dict(config), last, error=values is None, pruned=rung is not None)

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Say how many trials run at a time; return whether that is taken into account."""
        return False

    def get_state(self) -> dict[str, Any]:
        """Return what :meth:`set_state` brings back."""
        return dict(self.__dict__)

    def set_state(self, state: dict[str, Any]) -> None:
        """Become what :meth:`get_state` told of."""
        self.__dict__.update(state)

    def save(self, checkpoint_path: str) -> None:
        """Write what :meth:`restore` reads to that file."""
        import pickle

        with open(checkpoint_path, "wb") as file:
            pickle.dump(self.get_state(), file)

    def restore(self, checkpoint_path: str) -> None:
        """Read what :meth:`save` wrote.  It is a pickle: read your own files only."""
        import pickle

        with open(checkpoint_path, "rb") as file:
            self.set_state(pickle.load(file))


def spoken_goals(searcher: Searcher) -> tuple[Goal, ...]:
    """Return the goals that a user's search algorithm names, none where it does not say all of it."""
    metric, mode = getattr(searcher, "metric", None), getattr(searcher, "mode", None)
    return () if metric is None or mode is None else goals_of(metric, mode)


def value_of(value: object) -> tuple[float, ...]:
    """Return the value, or values, of a config that was evaluated elsewhere.

    Raises:
        BadArgumentType: it is no number, nor a list of numbers.
    """
    found = []
    for item in value if isinstance(value, (list, tuple)) else [value]:
        as_float = None if isinstance(item, bool) else number(item)
        if as_float is None or math.isnan(as_float):
            raise BadArgumentType("evaluated_rewards", value, "numbers")
        found.append(as_float)
    return tuple(found)
