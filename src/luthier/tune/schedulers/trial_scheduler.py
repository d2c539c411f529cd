"""What all public schedulers are: descriptions from which the Tuner builds the core's policy, with Ray Tune's hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.goal import Goal
from luthier.schedulers.arguments import direction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.callbacks.base import Recalling
    from luthier.core.policy import Scheduler
    from luthier.worker.saving import SaveRule

HOOKS = (
    "set_search_properties",
    "on_trial_add",
    "on_trial_error",
    "on_trial_result",
    "on_trial_complete",
    "on_trial_remove",
    "choose_trial_to_run",
)


class TrialScheduler:
    """A scheduler as a user describes it, and the start for own ones.

    A subclass that overrides one of Ray Tune's hooks (``on_trial_result`` and so on) is run by them.  What it does not
    override, and what it calls by ``super()``, does what the class below it does.  The hooks are called in one thread,
    with nothing else going on; they may ask and order what :class:`~luthier.tune.adapt.controller.TuneController`
    offers.

    Args:
        metric: metric to judge by; the Tuner's where None.
        mode: ``"min"`` or ``"max"``; the Tuner's where None.

    >>> class OnlyOnce(TrialScheduler):
    ...     def on_trial_result(self, tune_controller, trial, result):
    ...         return self.STOP
    >>> OnlyOnce().written
    True
    """

    CONTINUE, PAUSE, STOP, NOOP = "CONTINUE", "PAUSE", "STOP", "NOOP"

    _metric: str | None = None  # where a subclass does not call this constructor
    _mode: str | None = None
    played: Any = None  # what is behind the hooks while an experiment runs; a copy's own

    def __init__(self, metric: str | None = None, mode: str | None = None) -> None:
        direction(mode)
        if metric is not None and not isinstance(metric, str):
            raise BadArgumentType("metric", metric, "the name of a reported metric")
        self._metric, self._mode = metric, mode

    @property
    def metric(self) -> str | None:
        """Metric to judge by."""
        return self._metric

    @metric.setter
    def metric(self, metric: str | None) -> None:
        self._metric = metric

    @property
    def mode(self) -> str | None:
        """``"min"`` or ``"max"``."""
        return self._mode

    @mode.setter
    def mode(self, mode: str | None) -> None:
        self._mode = mode

    def goal(self, inherited: Goal | None) -> Goal | None:
        """Return what to judge by: the scheduler's own words, else the Tuner's.

        Raises:
            BadArgument: both name a metric.
        """
        if self.metric is None and self.mode is None:
            return inherited
        if inherited is not None:
            name = type(self).__name__
            raise BadArgument(
                f"{name}.metric" if self.metric else f"{name}.mode",
                self.metric or self.mode,
                "metric and mode in one of the two places",
                f"TuneConfig says {inherited.metric!r}, {inherited.mode!r} already",
            )
        if self.metric is None or self.mode is None:
            given, missing = ("metric", "mode") if self.metric else ("mode", "metric")
            raise BadArgument(missing, None, f"{missing} beside {given} in {type(self).__name__}")
        return Goal(self.metric, self.mode)

    def build(self, inherited: Goal | None) -> Scheduler:
        """Return the policy that this describes; *inherited* is the Tuner's goal.

        Raises:
            NotImplementedError: the class describes none; then its hooks do.
        """
        raise NotImplementedError

    @property
    def written(self) -> bool:
        """Whether a subclass overrides one of the hooks."""
        return any(getattr(type(self), hook) is not getattr(TrialScheduler, hook) for hook in HOOKS)

    def policy(self, inherited: Goal | None, experiment_dir: str = "", population: int | None = None) -> Scheduler:
        """Return the policy that the Tuner runs: the one that this describes, or one that calls the hooks.

        Args:
            inherited: the Tuner's goal.
            experiment_dir: where the experiment is; trials' checkpoints are shown to hooks as paths in it.
            population: how many trials there will be, where that is known.

        Raises:
            BadArgument: it overrides nothing, or what nobody would call.
        """
        from luthier.tune.adapt.hooked import hooked
        from luthier.tune.adapt.strangers import refuse_strangers

        refuse_strangers(self, "scheduler", "a scheduler that overrides the hooks (on_trial_result and so on)")
        if self.written:
            chooses = type(self).choose_trial_to_run is not TrialScheduler.choose_trial_to_run
            return hooked(self, inherited, experiment_dir, chooses=chooses, population=population)
        if type(self).build is TrialScheduler.build:
            wanted = f"a scheduler with one of the hooks {', '.join(HOOKS[1:])}"
            raise BadArgument("scheduler", self, wanted, f"{type(self).__name__} overrides none of them")
        return self.build_for(inherited, population)

    # -- the hooks -----------------------------------------------------------------------------------------------------
    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Take the Tuner's metric and mode; return False where the scheduler has its own already."""
        if self._metric and metric:
            return False
        self._metric, self._mode = metric or self._metric, mode or self._mode
        return True

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Hear that *trial* was born, or waits again after it failed."""
        _of(tune_controller).forward_add(self, trial)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Hear that *trial* failed; if it is to be tried again, it is added again."""

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return CONTINUE, PAUSE or STOP for *trial*, which reported *result* (nested keys joined by ``/``).

        NOOP says that what is to happen has been ordered from the controller.
        """
        return str(_of(tune_controller).forward_result(self, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Hear that *trial* came to its end, or was stopped while it ran; *result* is its last."""

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Hear that *trial* was stopped while it waited or paused."""

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Return the trial that waits or pauses and is to go next, or None; change nothing."""
        return _of(tune_controller).forward_choice(self)

    def debug_string(self) -> str:
        """Return in a line how it stands."""
        return type(self).__name__

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: a restored experiment tells its scheduler the log again."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: a restored experiment tells its scheduler the log again."""

    def build_for(self, inherited: Goal | None, population: int | None) -> Scheduler:
        """Return the policy, as :meth:`build` does, for *population* trials; None where their number is not known."""
        del population
        return self.build(inherited)

    # -- what it asks of the rest of an experiment: where a class does not say, what the schedulers ask that it holds --
    def furnished(self, param_space: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the search space with what this scheduler needs in it.

        Raises:
            BadArgument: it can do nothing with that space.
        """
        for scheduler in _held(self):
            param_space = scheduler.furnished(param_space)
        return param_space

    def check_trainable(self, trainable: Any) -> None:
        """See that this scheduler can work with *trainable*.

        Raises:
            BadArgument: it cannot.
        """
        for scheduler in _held(self):
            scheduler.check_trainable(trainable)

    def save_rule(self) -> SaveRule | None:
        """Return when class trainables are to save themselves for this scheduler; None for never.

        Of several schedulers that are held, the first that wants it says when.
        """
        return next((rule for scheduler in _held(self) if (rule := scheduler.save_rule()) is not None), None)

    def listeners(self, directory: str) -> Sequence[Recalling]:
        """Return who is to hear what happens in the experiment in *directory*."""
        return [listener for scheduler in _held(self) for listener in scheduler.listeners(directory)]


class FIFOScheduler(TrialScheduler):
    """First in, first out: every trial runs to its end.

    >>> FIFOScheduler().build(None).decide(None, None, None)
    ()
    """

    def __init__(self) -> None:
        super().__init__()

    def build(self, inherited: Goal | None) -> Scheduler:
        """Return the policy."""
        from luthier.schedulers.fifo import Fifo

        return Fifo()


def _held(scheduler: TrialScheduler) -> list[TrialScheduler]:
    """Return the schedulers in the attributes of *scheduler*, those in lists, tuples and dicts there too."""
    found: dict[int, TrialScheduler] = {}
    for value in vars(scheduler).values():
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
        for one in (value, *inside):
            if isinstance(one, TrialScheduler) and one is not scheduler:
                found[id(one)] = one
    return list(found.values())


def _of(tune_controller: Any) -> Any:
    if not hasattr(tune_controller, "forward_result"):
        raise BadArgumentType(
            "tune_controller",
            tune_controller,
            "the controller that the hook was called with, to hooks called by super()",
        )
    return tune_controller
