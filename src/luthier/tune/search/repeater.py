"""Each config several times, to see past the noise."""

from __future__ import annotations

import logging
import math
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from luthier.core.arguments import whole
from luthier.core.errors import BadArgument
from luthier.core.goal import lookup, number
from luthier.search.repeat import TRIAL_INDEX, Repeat
from luthier.tune.search.around import Around

if TYPE_CHECKING:
    from luthier.core.policy import Scheduler
    from luthier.core.policy import Searcher as Policy
    from luthier.tune.configs import TuneConfig
    from luthier.tune.search.searcher import Searcher

__all__ = ["TRIAL_INDEX", "Repeater"]

log = logging.getLogger("luthier")


class Repeater(Around):
    """Has each config of *searcher* tried *repeat* times; *searcher* hears once of each, of the mean.

    ``num_samples`` counts all trials: 15 are three configs five times.  What is left over is not heard of.  Values that
    are missing or NaN, and those of failed trials, stay out of the mean.

    Args:
        searcher: a search algorithm of ours, or a user's.
        repeat: how often.
        set_index: whether configs say under ``"__trial_index__"`` which of the repeats they are, from 0: a seed.

    Raises:
        BadArgument: for an argument that cannot be used.

    >>> from luthier import tune
    >>> from luthier.tune.search.tpe import TPESearch
    >>> search = Repeater(TPESearch({"x": tune.uniform(0, 1)}, "loss", "min"), repeat=2)
    >>> one, two = search.suggest("first"), search.suggest("second")
    >>> one["x"] == two["x"], one["__trial_index__"], two["__trial_index__"]
    (True, 0, 1)
    """

    def __init__(self, searcher: Searcher, repeat: int = 1, set_index: bool = True) -> None:
        super().__init__(searcher)
        self.repeat, self.set_index = whole("repeat", repeat, 1), bool(set_index)
        self._filling: list[str] = []  # trials of the config that is being repeated
        self._config: dict[str, Any] = {}
        self._groups: dict[str, list[str]] = {}  # by each of its trials, of configs of which not all have ended
        self._values: dict[str, dict[str, list[float]]] = {}

    def around(self, policy: Policy, seed: int) -> Policy:
        """Return *policy*, repeated."""
        return Repeat(policy, self.repeat, self.set_index, seed)

    def expect(self, num_samples: int) -> None:
        """Pass on how many configs there will be."""
        super().expect(num_samples // self.repeat if num_samples > 0 else num_samples)

    def review(self, tuning: TuneConfig, scheduler: Scheduler) -> None:
        """Warn of trials that are left over."""
        if tuning.num_samples > 0 and (rest := tuning.num_samples % self.repeat):
            log.warning(
                "num_samples=%d counts all trials, repeats too: the last %d of them will not be heard of, since the "
                "Repeater wants %d of each.",
                tuning.num_samples, rest, self.repeat,
            )  # fmt: skip
        super().review(tuning, scheduler)

    # -- without a Tuner -----------------------------------------------------------------------------------------------
    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Leave it to others: what *searcher* counts are configs, not trials."""
        return False

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the config that is being repeated, or a new one."""
        if trial_id in self._groups:
            raise BadArgument("trial_id", trial_id, "the id of a new trial")
        if not self._filling:
            config = self.searcher.suggest(trial_id)
            if not isinstance(config, dict):
                return config
            self._config = config
        group = self._filling
        group.append(trial_id)
        self._groups[trial_id] = group
        again = deepcopy(self._config)
        if self.set_index:
            again[TRIAL_INDEX] = len(group) - 1
        if len(group) == self.repeat:
            self._filling = []
        return again

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Pass nothing on: what is heard of is the mean of ends."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Hear of a trial's end; pass on the mean where it is the last of its config."""
        group = self._groups.get(trial_id)
        if group is None:
            log.error("The Repeater has not suggested trial %s, or has heard of its end.", trial_id)
            return
        metric = self.searcher.metric
        names = [] if metric is None else [metric] if isinstance(metric, str) else list(metric)
        told = self._values.setdefault(group[0], {})
        told[trial_id] = [_value(None if error else result, name) for name in names]
        if len(told) < self.repeat:
            return
        for trial in group:
            del self._groups[trial]
        values = list(self._values.pop(group[0]).values())
        means = {name: _mean([value[k] for value in values]) for k, name in enumerate(names)}
        failed = bool(means) and all(math.isnan(mean) for mean in means.values())
        self.searcher.on_trial_complete(group[0], result=means, error=failed)

    def __deepcopy__(self, memo: dict[int, Any]) -> Repeater:
        """Return one that has suggested nothing yet."""
        return type(self)(deepcopy(self.searcher, memo), self.repeat, self.set_index)


def _value(result: dict[str, Any] | None, metric: str) -> float:
    value = None if not result else number(lookup(result, metric))
    return math.nan if value is None else value


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
