"""A limit on how many trials of a search algorithm are under way."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from luthier.core.arguments import whole
from luthier.core.errors import BadArgument
from luthier.search.limit import Limit
from luthier.tune.search.around import Around
from luthier.tune.search.space_searcher import SpaceSearcher

if TYPE_CHECKING:
    from luthier.core.policy import Scheduler
    from luthier.core.policy import Searcher as Policy
    from luthier.tune.configs import TuneConfig
    from luthier.tune.search.searcher import Searcher


class ConcurrencyLimiter(Around):
    """Has at most *max_concurrent* trials of *searcher* under way; paused ones count.

    What the searcher itself was told of a limit is replaced by this one.

    Args:
        searcher: a search algorithm of ours, or a user's.  One that limits itself (its ``set_max_concurrency`` returns
            True) is left to it.
        max_concurrent: how many trials.
        batch: whether results are held back until all trials under way have ended.

    Raises:
        BadArgument: for an argument that cannot be used.

    >>> from luthier import tune
    >>> from luthier.tune.search.tpe import TPESearch
    >>> search = ConcurrencyLimiter(TPESearch({"x": tune.uniform(0, 1)}, "loss", "min"), max_concurrent=1)
    >>> config = search.suggest("first")
    >>> search.suggest("second") is None
    True
    >>> search.on_trial_complete("first", {"loss": 1.0})
    >>> search.suggest("second") is None
    False
    """

    def __init__(self, searcher: Searcher, max_concurrent: int, batch: bool = False) -> None:
        super().__init__(searcher)
        self.max_concurrent, self.batch = whole("max_concurrent", max_concurrent, 1), bool(batch)
        self.live_trials: set[str] = set()
        self.cached_results: dict[str, tuple[dict[str, Any] | None, bool]] = {}
        self._limits = self._says(searcher)

    def _says(self, searcher: Searcher) -> bool:
        """Tell *searcher* of the limit; return whether it leaves it to this one."""
        handles = searcher.set_max_concurrency(self.max_concurrent)
        return not handles or isinstance(searcher, SpaceSearcher)  # ours do not hold results back for a batch

    def around(self, policy: Policy, seed: int) -> Policy:
        """Return *policy*, limited."""
        return Limit(policy, self.max_concurrent, self.batch) if self._limits else policy

    def review(self, tuning: TuneConfig, scheduler: Scheduler) -> None:
        """Refuse a second limit that is another.

        Raises:
            BadArgument: ``max_concurrent_trials`` is not the same.
        """
        if tuning.max_concurrent_trials not in (None, 0, self.max_concurrent):
            why = f"ConcurrencyLimiter says {self.max_concurrent}"
            raise BadArgument("max_concurrent_trials", tuning.max_concurrent_trials, "None", why)
        super().review(tuning, scheduler)

    # -- without a Tuner -----------------------------------------------------------------------------------------------
    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Take over another limit."""
        self.max_concurrent = whole("max_concurrent", max_concurrent, 1)
        self._limits = self._says(self.searcher)
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the config of a new trial; None where enough are under way."""
        if not self._limits:
            return self.searcher.suggest(trial_id)
        if trial_id in self.live_trials:
            raise BadArgument("trial_id", trial_id, "the id of a new trial")
        if len(self.live_trials) >= self.max_concurrent:
            return None
        config = self.searcher.suggest(trial_id)
        if isinstance(config, dict):
            self.live_trials.add(trial_id)
        return config

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Hear of a trial's end; pass it on, in a batch when all have ended."""
        if not self._limits:
            self.searcher.on_trial_complete(trial_id, result=result, error=error)
        elif trial_id in self.live_trials:
            self.cached_results[trial_id] = result, error
            if not self.batch or len(self.cached_results) == len(self.live_trials):
                held, self.cached_results = self.cached_results, {}
                for trial, (last, failed) in held.items():
                    self.searcher.on_trial_complete(trial, result=last, error=failed)
                    self.live_trials.discard(trial)

    def __deepcopy__(self, memo: dict[int, Any]) -> ConcurrencyLimiter:
        """Return one that has suggested nothing yet."""
        return type(self)(deepcopy(self.searcher, memo), self.max_concurrent, self.batch)
