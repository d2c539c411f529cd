"""A schedule of configs, gone through by one trial: what a population found, without the population."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.arguments import amount, check
from luthier.core.events import Proposed, Reported
from luthier.core.goal import lookup, number
from luthier.core.policy import Exploit
from luthier.core.space import fresh
from luthier.core.terms import Status
from luthier.schedulers.arguments import metric_name
from luthier.schedulers.fifo import Fifo
from luthier.schedulers.pbt import changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.events import News
    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import Config, TrialId


class Replay(Fifo):
    """Changes a trial's config at given times: it restarts from its own last checkpoint.

    It does so at the first report at or after such a time for which the trial has a checkpoint that was saved since the
    change before, so that nothing is trained twice with the wrong config; without checkpoints nothing ever changes.

    Args:
        schedule: ``(time, config)``, in order of time; the config is the whole one.
        time_attr: metric that says how far the trial is.

    Raises:
        BadArgument: for an argument that cannot be used.

    >>> Replay([(10, {"lr": 0.1})])
    Replay(at 10)
    """

    def __init__(self, schedule: Sequence[tuple[float, Config]], time_attr: str = "training_iteration") -> None:
        self.time_attr = metric_name("time_attr", time_attr)
        self.schedule = [(amount("schedule", time), config) for time, config in schedule]
        times = [time for time, _ in self.schedule]
        check("schedule", times, times == sorted(times), "times in order")
        self._done: dict[TrialId, int] = {}  # how many changes are done
        self._saved: dict[TrialId, bool] = {}  # whether there is a checkpoint since the last one
        self._fence: dict[TrialId, int] = {}  # the attempt whose checkpoints do not count any more

    def __repr__(self) -> str:
        return f"Replay(at {', '.join(f'{time:g}' for time, _ in self.schedule) or 'no time'})"

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return the change that is due, if one is."""
        if isinstance(news, Proposed):
            self._done[news.trial] = 0
        elif isinstance(news, Reported):
            return self._look(news, experiment)
        return super().decide(news, experiment, rng)

    def _look(self, news: Reported, experiment: ExperimentView) -> Sequence[Decision]:
        trial, done = news.trial, self._done.get(news.trial, 0)
        if news.checkpoint is not None and news.attempt > self._fence.get(trial, 0):
            self._saved[trial] = True
        now = number(lookup(news.metrics, self.time_attr))
        if now is None or done == len(self.schedule) or not now >= self.schedule[done][0]:
            return ()
        view = experiment.trial(trial)
        if view.status is not Status.RUNNING or not self._saved.get(trial):
            return ()
        while done < len(self.schedule) and self.schedule[done][0] <= now:
            done += 1
        self._done[trial], self._saved[trial], self._fence[trial] = done, False, news.attempt
        config = fresh(self.schedule[done - 1][1])
        old, new = changes(view.config, config)
        changed = ", ".join(f"{name} {old.get(name)!r} -> {value!r}" for name, value in new.items())
        why = {"time_attr": self.time_attr, "time": now, "old": old, "new": new}
        reason = f"{self.time_attr} {now:g}: change {done} of {len(self.schedule)}"
        return (Exploit(trial, config, view.checkpoint, f"{reason}: {changed}" if changed else reason, why),)
