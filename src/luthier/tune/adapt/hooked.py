"""User-written schedulers with Ray Tune's hooks, as the core's policy."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core import events as ev
from luthier.core.errors import BadArgument, LuthierError
from luthier.core.goal import Goal
from luthier.core.policy import Exploit, Finish, Pause, Resume, Stop
from luthier.core.rng import rng_at
from luthier.core.terms import Outcome, Status, TrialId, Why
from luthier.schedulers.deferred import about, deferred
from luthier.schedulers.fifo import LEFT_BEHIND, Fifo
from luthier.tune.adapt.controller import TuneController
from luthier.tune.adapt.part import CONTINUE, NOOP, PAUSE, STOP, Part, spoken
from luthier.tune.flat import flattened
from luthier.tune.search.chance import tamed
from luthier.tune.trial import row
from luthier.worker.trainable import fresh_copy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.rng import Rng
    from luthier.schedulers.deferred import Making


def hooked(
    scheduler: Any,
    inherited: Goal | None,
    experiment_dir: str = "",
    *,
    chooses: bool = True,
    population: int | None = None,
) -> Hooked:
    """Return the policy that calls the hooks of a copy of *scheduler*.

    Raises:
        BadArgument: it cannot be copied, or has a metric of its own beside the Tuner's.
    """
    name = type(scheduler).__name__
    try:
        own = copy.deepcopy(scheduler)
    except Exception as error:
        raise BadArgument(
            "scheduler", scheduler, "one that copy.deepcopy can copy", f"each restart begins with a copy; {error}"
        ) from error
    metric, mode = (None, None) if inherited is None else (inherited.metric, inherited.mode)
    if own.set_search_properties(metric, mode) is False and inherited is not None:
        why = f"TuneConfig says {metric!r}, {mode!r} already"
        raise BadArgument(f"{name}.metric", own.metric, "metric and mode in one of the two places", why)
    if inherited is None and own.metric and own.mode:
        inherited = Goal(own.metric, own.mode)
    kind: type[Hooked] = type(name, (Hooked,), {"__doc__": Hooked.__doc__})  # complaints then name the user's class
    return kind(own, inherited, experiment_dir, chooses=chooses, population=population)


class Hooked:
    """Calls the hooks of *scheduler* as Ray Tune does, and gives their answers as decisions.

    Hooks are told what is news and nothing twice; a restored experiment tells them the log again, in the same order,
    with the global generators of ``random`` and ``numpy.random`` seeded by the position in the log.  What they answered
    then is believed, what they answer now only brings their own state back.

    Args:
        scheduler: the user's object; nobody else may use it.
        inherited: the Tuner's goal.
        experiment_dir: where the experiment is.
        chooses: whether ``choose_trial_to_run`` is the user's own.
    """

    def __init__(
        self,
        scheduler: Any,
        inherited: Goal | None,
        experiment_dir: str = "",
        *,
        chooses: bool = True,
        population: int | None = None,
    ) -> None:
        self._scheduler, self._goal = scheduler, inherited
        self._name = type(scheduler).__name__
        self._controller = TuneController(experiment_dir)
        self._chooses, self._population = chooses, population
        self._known: dict[TrialId, None] = {}  # those that the hooks know to be alive
        self._fallen: dict[TrialId, None] = {}  # failed, and perhaps to be tried again
        self._left: dict[TrialId, None] = {}  # let go of their workers by themselves
        self._rested: dict[TrialId, None] = {}  # paused by a hook
        self._parts: list[Part] = []
        self._news: ev.News | None = None
        self._rng = rng_at(0)
        self._decisions: list[Making] = []
        self._suggested: list[Sequence[Making]] = []  # whole answers about the trial in the news, by super()
        self._offered: list[TrialId] | None = None
        self._main = self._part(scheduler)

    # -- as a policy ---------------------------------------------------------------------------------------------------
    def decide(self, news: ev.News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return what the hooks answered and ordered."""
        self._news, self._rng, self._decisions = news, rng, []
        self._controller.open(experiment, self)
        try:
            with tamed(rng):
                self._tell(news, experiment)
                if isinstance(
                    news, ev.Reported | ev.Stalled
                ):  # not before those that are to be born have had their turn
                    self._wake(experiment)
            return deferred(self._decisions)
        finally:
            self._news, self._decisions, self._suggested = None, [], []
            self._controller.close()

    def pick(self, waiting: Iterable[TrialId], experiment: ExperimentView) -> TrialId | None:
        """Return what ``choose_trial_to_run`` chose; as in Ray Tune, who waits and fits goes even if it chose none."""
        if not self._chooses:
            return self._main.policy.pick(waiting, experiment)
        self._offered = list(waiting)
        try:
            chosen = self._choose(experiment)
            return chosen if chosen in self._offered else self._offered[0]
        finally:
            self._offered = None
            self._controller.close()

    # -- news to hooks -------------------------------------------------------------------------------------------------
    def _tell(self, news: ev.News, experiment: ExperimentView) -> None:
        for trial in list(self._fallen):
            status, again = experiment.trial(trial).status, isinstance(news, ev.Exited) and news.trial == trial
            if status is not Status.EXITED or again:  # what becomes of it is known by now
                del self._fallen[trial]
                if not status.final:
                    self._add(trial)
        match news:
            case ev.Reported(trial):
                if experiment.trial(trial).status is Status.RUNNING:  # not a late one, on the way out
                    self._result(trial, news)
            case ev.Proposed(trial):
                self._hear(news)
                self._add(trial)
            case ev.Exited(trial, _, outcome):
                self._hear(news)
                if self._controller.ordered(trial) is None and trial in self._known:
                    self._left[trial] = None
                    if outcome in (Outcome.ERROR, Outcome.LOST):
                        self._known.pop(trial)
                        self._fallen[trial] = None
                        self._call("on_trial_error", trial)
            case ev.Ended(trial, status):
                self._hear(news)
                self._end(trial, status)
            case ev.Stalled():
                self._hear(news)

    def _add(self, trial: TrialId) -> None:
        self._known[trial] = None
        self._controller.order(trial, None)
        self._call("on_trial_add", trial)

    def _result(self, trial: TrialId, news: ev.Reported) -> None:
        for noted in (self._rested, self._left):
            noted.pop(trial, None)
        self._controller.order(trial, None)
        if trial not in self._known:
            self._add(trial)
        result = self._flat(trial, news.metrics)
        self._suggested = []
        said = self._call("on_trial_result", trial, result)
        suggested, self._suggested = self._suggested, []
        answer = next((mine for mine in suggested if spoken(mine) == said), None)
        if said not in (CONTINUE, STOP, PAUSE, NOOP):
            wanted = "TrialScheduler.CONTINUE, PAUSE, STOP or NOOP"
            raise TypeError(f"{self._name}.on_trial_result returned {said!r}: it must return {wanted}")
        if answer is not None:  # all of it: who is paused may be resumed in the same breath
            for making in answer:
                self._do(making)
        elif said == STOP:
            self._stop(trial, None)
        elif said == PAUSE:
            self._pause(trial, None)

    def _end(self, trial: TrialId, status: Status) -> None:
        for noted in (self._fallen, self._rested):
            noted.pop(trial, None)
        left = self._left.pop(trial, 0) is None
        self._controller.order(trial, None)
        self._controller.configured(trial)
        if trial not in self._known:
            return  # the hooks have heard of it: when it was stopped, or failed
        del self._known[trial]
        if status is Status.FAILED:
            self._call("on_trial_error", trial)
        elif left:
            self._call("on_trial_complete", trial, self._last(trial))
        else:
            self._call("on_trial_remove", trial)

    def _call(self, hook: str, trial: TrialId, *more: Any) -> Any:
        try:
            return getattr(self._scheduler, hook)(self._controller, self._controller.trial(trial), *more)
        except Exception as error:
            error.add_note(f"in {self._name}.{hook}, about trial {trial}")
            raise

    def _flat(self, trial: TrialId, metrics: dict[str, Any]) -> dict[str, Any]:
        return flattened(fresh_copy(row(self._controller.view(trial), metrics)))  # type: ignore[arg-type]

    def _last(self, trial: TrialId) -> dict[str, Any]:
        return self._flat(trial, self._controller.view(trial).metrics)

    # -- answers and orders to decisions -------------------------------------------------------------------------------
    def stop(self, trial: TrialId) -> None:
        """Stop a trial, as a hook ordered."""
        self._stop(trial, None)

    def pause(self, trial: TrialId) -> None:
        """Pause a trial that runs, as a hook ordered."""
        if self._controller.trial(trial).status == "RUNNING":
            self._pause(trial, None)

    def _stop(self, trial: TrialId, decision: Stop | None) -> None:
        seen = self._controller.trial(trial)
        if seen.is_finished():
            return
        ran = seen.status == "RUNNING"
        self._decisions.append(decision or Stop(trial, self._reason("stop", trial), self._why(trial)))
        self._controller.order(trial, "TERMINATED")
        if trial not in self._known:
            return
        del self._known[trial]
        if ran:
            self._call("on_trial_complete", trial, self._last(trial))
        else:
            self._call("on_trial_remove", trial)

    def _pause(self, trial: TrialId, decision: Pause | None) -> None:
        if self._controller.ordered(trial) is not None:
            return
        if decision is None:
            self._rested[trial] = None
        self._decisions.append(decision or Pause(trial, self._reason("pause", trial), self._why(trial)))
        self._controller.order(trial, "PAUSED")

    def _resume(self, trial: TrialId) -> None:
        config, why = self._controller.configured(trial), self._why(trial)
        view = self._controller.view(trial)
        if config is None:
            self._decisions.append(Resume(trial, f"chosen by {self._name}", why))
        else:
            new = flattened(config)
            old = {name: value for name, value in flattened(view.config).items() if new.get(name) != value}
            why |= {"old": old, "new": {name: new[name] for name in old if name in new}}
            reason = f"chosen by {self._name}, with another config"
            self._decisions.append(Exploit(trial, config, view.checkpoint, reason, why))
        self._rested.pop(trial, None)
        self._controller.order(trial, "PENDING")

    def _do(self, decision: Making) -> None:
        match decision:
            case Stop(trial):
                self._stop(trial, decision)
            case Pause(trial):
                self._pause(trial, decision)
            case Finish():
                self._decisions.append(decision)
            case _:
                self._decisions.append(decision)
                self._controller.order(decision.trial, None)

    def _reason(self, what: str, trial: TrialId) -> str:
        news = self._news
        by = ".on_trial_result" if isinstance(news, ev.Reported) and news.trial == trial else ""
        return f"{self._name}{by} asked to {what} it"

    def _why(self, trial: TrialId) -> Why:
        view = self._controller.view(trial)
        why: Why = {"scheduler": self._name}
        if self._goal is not None and view.score is not None:
            why |= {"metric": self._goal.metric, "value": self._goal.value(view.score)}
        if "training_iteration" in view.metrics:
            why |= {"time_attr": "training_iteration", "time": view.metrics["training_iteration"]}
        return why

    # -- which trial goes next -----------------------------------------------------------------------------------------
    def _wake(self, experiment: ExperimentView) -> None:
        """Resume what ``choose_trial_to_run`` chooses of the paused, as long as there is room."""
        need: dict[str, float] = {}
        for _ in range(len(experiment.having(Status.PAUSED))):
            chosen = self._choose(experiment)
            if chosen is None or experiment.trial(chosen).status is not Status.PAUSED:
                return
            if self._controller.trial(chosen).status != "PAUSED":
                return
            for name, amount in experiment.trial(chosen).resources.items():
                need[name] = need.get(name, 0.0) + amount
            if experiment.room(need) is None:
                return
            self._resume(chosen)

    def _choose(self, experiment: ExperimentView) -> TrialId | None:
        self._controller.open(experiment, self, "choose_trial_to_run")
        try:
            with tamed(self._rng):
                chosen = self._scheduler.choose_trial_to_run(self._controller)
            return None if chosen is None else TrialId(chosen.trial_id)
        except Exception as error:
            error.add_note(f"in {self._name}.choose_trial_to_run")
            raise
        finally:
            self._controller.open(experiment, self)

    # -- what super() stands for ---------------------------------------------------------------------------------------
    def forward_add(self, scheduler: Any, trial: TrialId) -> None:
        """Tell what *scheduler* describes of a trial, unless it knows."""
        self._knows(self._part(scheduler), trial)

    def forward_result(self, scheduler: Any, trial: TrialId, result: dict[str, Any]) -> str:
        """Tell what *scheduler* describes of a result; return what it says.

        Raises:
            LuthierError: it is not the trial whose result the hooks are being told.
        """
        news, part = self._news, self._part(scheduler)
        if not isinstance(news, ev.Reported) or news.trial != trial:
            raise LuthierError(f"on_trial_result was passed on for trial {trial}, which has reported nothing just now")
        self._knows(part, trial)
        answer = self._asked(part, msgspec.structs.replace(news, metrics=dict(result)))
        mine = [making for making in answer if about(making) == trial]
        self._suggested.append(mine)
        for making in answer:
            if about(making) != trial:
                self._do(making)
        return spoken(mine)

    def forward_choice(self, scheduler: Any) -> TrialId | None:
        """Return what goes next according to what *scheduler* describes; of the paused, those that a hook paused."""
        part, seen = self._part(scheduler), self._controller.experiment

        def known(trials: Iterable[TrialId]) -> list[TrialId]:
            return list(trials) if part is self._main else [t for t in trials if t in part.trials]

        if self._offered is not None:
            offered = known(self._offered)
            return part.policy.pick(iter(offered), seen) if offered else None
        waiting = known(seen.having(Status.PENDING))
        if waiting:
            return waiting[0]
        paused = [t for t in known(self._rested) if seen.trial(t).status is Status.PAUSED]
        return min(paused, key=lambda t: seen.trial(t).number, default=None)

    def _part(self, scheduler: Any) -> Part:
        if scheduler.played is None:
            try:
                policy = scheduler.build_for(None if scheduler.metric else self._goal, self._population)
            except NotImplementedError:
                policy = Fifo()
            scheduler.played = Part(policy, len(self._parts))
            self._parts.append(scheduler.played)
        part: Part = scheduler.played
        return part

    def _knows(self, part: Part, trial: TrialId) -> None:
        if trial in part.trials:
            return
        part.trials[trial] = None
        view, news = self._controller.view(trial), self._news
        if not isinstance(news, ev.Proposed) or news.trial != trial:
            news = ev.Proposed(trial, view.number, view.config, dict(view.resources), view.label)
        for decision in self._asked(part, news):
            self._do(decision)

    def _hear(self, news: ev.News) -> None:
        """Tell policies what no hook tells them."""
        left: list[Resume] = []
        for part in self._parts:
            if part is self._main and isinstance(news, ev.Proposed):
                self._knows(part, news.trial)
            elif isinstance(news, ev.Stalled) or (not isinstance(news, ev.Proposed) and news.trial in part.trials):
                for decision in self._asked(part, news):
                    if isinstance(decision, Resume) and decision.reason == LEFT_BEHIND:
                        left.append(decision)
                    else:
                        self._do(decision)
        for decision in left if not self._decisions else ():  # neither another part nor a hook has paused it
            if decision.trial not in self._rested:
                self._do(decision)

    def _asked(self, part: Part, news: ev.News) -> Sequence[Making]:
        return part.decide(news, self._controller.experiment, self._rng)
