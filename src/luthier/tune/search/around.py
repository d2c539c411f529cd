"""What stands around another search algorithm and passes on what it does not change."""

from __future__ import annotations

import copy
import pickle
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgumentType
from luthier.tune.search.searcher import Searcher, spoken_goals
from luthier.tune.search.space_searcher import SpaceSearcher

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from luthier.core.goal import Goal
    from luthier.core.policy import Scheduler
    from luthier.core.policy import Searcher as Policy
    from luthier.tune.configs import TuneConfig


class Around(SpaceSearcher):
    """A search algorithm around *searcher*: space, metric, mode, points and seed are those of *searcher*.

    Args:
        searcher: a search algorithm of ours, or a user's.

    Raises:
        BadArgument: *searcher* is none.
    """

    def __init__(self, searcher: Searcher) -> None:
        super().__init__()
        if not isinstance(searcher, Searcher):
            wanted = "an object of luthier.tune.search.Searcher, such as TPESearch()"
            why = f"{type(self).__name__} works with what suggests one config after the other"
            if hasattr(searcher, "max_concurrent"):
                wanted += f", or pass max_concurrent to {type(searcher).__name__} itself"
            raise BadArgumentType("searcher", searcher, wanted, why)
        self.searcher = searcher
        own = getattr(searcher, "seed", None)
        self.seed = own if isinstance(own, int) else None

    @property
    def metric(self) -> str | Sequence[str] | None:
        """What is optimised."""
        return self.searcher.metric

    @property
    def mode(self) -> str | Sequence[str] | None:
        """In which direction."""
        return self.searcher.mode

    # -- what a Tuner asks ---------------------------------------------------------------------------------------------
    def read(self, param_space: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a Tuner's *param_space* as *searcher* reads it."""
        return self.searcher.read(param_space) if isinstance(self.searcher, SpaceSearcher) else param_space

    def around(self, policy: Policy, seed: int) -> Policy:
        """Return a new policy around that of *searcher*, for an experiment of that seed."""
        raise NotImplementedError

    def expect(self, num_samples: int) -> None:
        """Pass it on."""
        if isinstance(self.searcher, SpaceSearcher):
            self.searcher.expect(num_samples)

    def own_goals(self, given: tuple[Goal, ...]) -> tuple[Goal, ...]:
        """Return what is optimised: what *searcher* says, else the Tuner."""
        if isinstance(self.searcher, SpaceSearcher):
            return self.searcher.own_goals(given)
        return given or spoken_goals(self.searcher)

    def review(self, tuning: TuneConfig, scheduler: Scheduler) -> None:
        """Look at what this search algorithm is to be used with, before any trial."""
        if isinstance(self.searcher, SpaceSearcher):
            self.searcher.review(tuning, scheduler)

    # -- without a Tuner -----------------------------------------------------------------------------------------------
    def set_search_properties(
        self,
        metric: str | Sequence[str] | None,
        mode: str | Sequence[str] | None,
        config: Mapping[str, Any],
        **spec: Any,
    ) -> bool:
        """Pass it on; return what *searcher* does."""
        return self.searcher.set_search_properties(metric, mode, config, **spec)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Pass it on."""
        self.searcher.on_trial_result(trial_id, result)

    def add_evaluated_point(
        self,
        parameters: dict[str, Any],
        value: Any,
        error: bool = False,
        pruned: bool = False,
        intermediate_values: list[float] | None = None,
    ) -> None:
        """Pass it on."""
        self.searcher.add_evaluated_point(parameters, value, error, pruned, intermediate_values)

    def add_evaluated_trials(self, trials_or_analysis: Any, metric: str | Sequence[str]) -> None:
        """Pass it on."""
        self.searcher.add_evaluated_trials(trials_or_analysis, metric)

    def get_state(self) -> dict[str, Any]:
        """Return what is known beside what *searcher* knows."""
        return {name: copy.deepcopy(value) for name, value in self.__dict__.items() if name != "searcher"}

    def set_state(self, state: dict[str, Any]) -> None:
        """Become what :meth:`get_state` told of."""
        self.__dict__.update(state)

    def save(self, checkpoint_path: str | os.PathLike[str]) -> None:
        """Write what is known, and what *searcher* saves, to that file."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "searcher")
            self.searcher.save(str(path))
            Path(checkpoint_path).write_bytes(pickle.dumps((self.get_state(), path.read_bytes())))

    def restore(self, checkpoint_path: str | os.PathLike[str]) -> None:
        """Read what :meth:`save` wrote.  It is a pickle: read your own files only."""
        state, inside = pickle.loads(Path(checkpoint_path).read_bytes())
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "searcher")
            path.write_bytes(inside)
            self.searcher.restore(str(path))
        self.set_state(state)
