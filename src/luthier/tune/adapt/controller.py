"""What a scheduler's hooks may ask for and order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from luthier.core.errors import LuthierError
from luthier.core.resources import checked
from luthier.core.terms import Status, TrialId
from luthier.tune.adapt.scheduled_trial import ScheduledTrial
from luthier.worker.bundles import PlacementGroupFactory

if TYPE_CHECKING:
    from luthier.core.policy import ExperimentView, TrialView
    from luthier.core.terms import Config

LIVE = (Status.PENDING, Status.RUNNING, Status.HALTING, Status.EXITED, Status.PAUSED)
OFFERED = (
    "get_trials(), get_live_trials(), get_trial(trial_id), stop_trial(trial), pause_trial(trial), "
    "has_resources_for_trial(trial), _resource_updater.get_num_cpus() and .get_num_gpus()"
)


class Hearing(Protocol):
    """What stands behind the controller."""

    def stop(self, trial: TrialId) -> None:
        """Stop a trial."""

    def pause(self, trial: TrialId) -> None:
        """Pause a trial."""

    def forward_add(self, scheduler: Any, trial: TrialId) -> None:
        """Tell what *scheduler* describes of a trial."""

    def forward_result(self, scheduler: Any, trial: TrialId, result: dict[str, Any]) -> str:
        """Tell what *scheduler* describes a result; return what it says."""

    def forward_choice(self, scheduler: Any) -> TrialId | None:
        """Return what goes next according to what *scheduler* describes."""


class ResourceUpdater:
    """Counts what all workers have together."""

    def __init__(self, controller: TuneController) -> None:
        self._controller = controller

    def get_num_cpus(self) -> float:
        """Return how many CPUs there are, free or in use."""
        return self._sum("cpu")

    def get_num_gpus(self) -> float:
        """Return how many GPUs there are, free or in use."""
        return self._sum("gpu")

    def _sum(self, name: str) -> float:
        return sum(offer.get(name, 0.0) for offer in self._controller.experiment.offers)


class TuneController:
    """The ``tune_controller`` of a scheduler's hooks: it shows the trials and takes orders.

    Orders are carried out when the hook has returned.  It can be asked only while a hook runs, and takes no orders
    while a trial to run is chosen: that may happen any number of times.
    """

    def __init__(self, experiment_dir: str = "") -> None:
        self._dir = experiment_dir
        self._trials: dict[TrialId, ScheduledTrial] = {}
        self._seen: ExperimentView | None = None
        self._hearing: Hearing | None = None
        self._choosing = ""
        self._configs: dict[TrialId, Config] = {}
        self._orders: dict[TrialId, str] = {}  # statuses that trials will have, once what was ordered is done

    # -- what hooks may use --------------------------------------------------------------------------------------------
    def get_trials(self) -> list[ScheduledTrial]:
        """Return all trials in the order of their numbers."""
        seen = self.experiment
        if len(self._trials) < len(seen):  # who is not told of each trial that is born
            new = [t for status in Status for t in seen.having(status) if t not in self._trials]
            for trial in sorted(new, key=lambda t: seen.trial(t).number):
                self.trial(trial)
        return list(self._trials.values())

    def get_live_trials(self) -> list[ScheduledTrial]:
        """Return the trials that have not come to their end, in the order of their numbers."""
        seen = self.experiment
        live = [t for status in LIVE for t in seen.having(status) if self._orders.get(t) != "TERMINATED"]
        return [self.trial(t) for t in sorted(live, key=lambda t: seen.trial(t).number)]

    def get_trial(self, tid: str) -> ScheduledTrial | None:
        """Return the trial of that id, or None."""
        self.get_trials()
        return self._trials.get(TrialId(tid))

    def stop_trial(self, trial: ScheduledTrial) -> None:
        """End *trial*, whatever it does; nothing happens where it has come to its end."""
        self._ordering("stop_trial").stop(TrialId(trial.trial_id))

    def pause_trial(self, trial: ScheduledTrial, should_checkpoint: bool = True) -> None:
        """Take *trial*, which runs, off its worker; ``choose_trial_to_run`` brings it back."""
        self._ordering("pause_trial").pause(TrialId(trial.trial_id))

    def has_resources_for_trial(self, trial: ScheduledTrial) -> bool:
        """Return whether what *trial* asks for is free."""
        return self.has_room(dict(self.view(TrialId(trial.trial_id)).resources))

    @property
    def _resource_updater(self) -> ResourceUpdater:
        return ResourceUpdater(self)

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"tune_controller.{name} is not there: a scheduler's hooks may use {OFFERED}. A policy of decide() and "
            "pick() can do more (docs: how-to, write a scheduler).",
            name=name,
            obj=self,
        )

    # -- what stands between hooks and policies ------------------------------------------------------------------------
    def open(self, experiment: ExperimentView, hearing: Hearing | None, choosing: str = "") -> None:
        """Show *experiment*, and give orders to *hearing*; *choosing* names a hook that may give none."""
        self._seen, self._hearing, self._choosing = experiment, hearing, choosing

    def close(self) -> None:
        """Show nothing any more."""
        self._seen = self._hearing = None

    @property
    def experiment(self) -> ExperimentView:
        """The experiment as the core shows it."""
        if self._seen is None:
            raise LuthierError("tune_controller and its trials can be asked only while a hook of the scheduler runs")
        return self._seen

    def trial(self, trial: TrialId) -> ScheduledTrial:
        """Return the trial of that id as hooks see it."""
        known = self._trials.get(trial)
        if known is None:
            known = self._trials[trial] = ScheduledTrial(trial, self, self._dir)
        return known

    def view(self, trial: TrialId) -> TrialView:
        """Return the trial of that id as the core shows it."""
        return self.experiment.trial(trial)

    def has_room(self, resources: dict[str, float]) -> bool:
        """Return whether *resources* are free."""
        return self.experiment.room(checked(resources, "resources")) is not None

    def config(self, trial: TrialId) -> Config:
        """Return the config that a trial has, or will have once it is resumed."""
        given = self._configs.get(trial)
        return self.view(trial).config if given is None else given

    def configure(self, trial: TrialId, config: Config) -> None:
        """Note the config that a trial is to go on with."""
        self._ordering("set_config")
        self._configs[trial] = config

    def holding(self, trial: TrialId) -> PlacementGroupFactory:
        """Return what a trial asks for, or holds while it runs."""
        return PlacementGroupFactory.holding(self.view(trial).resources)

    def configured(self, trial: TrialId) -> Config | None:
        """Take the config that a trial was given, if any."""
        return self._configs.pop(trial, None)

    def ordered(self, trial: TrialId) -> str | None:
        """Return the status that a trial will have once what was ordered is done; None where nothing was."""
        return self._orders.get(trial)

    def order(self, trial: TrialId, status: str | None) -> None:
        """Note the status that a trial will have, or with None that what was ordered is done."""
        if status is None:
            self._orders.pop(trial, None)
        else:
            self._orders[trial] = status

    # -- hooks that are called by super(), or on a scheduler that another holds ----------------------------------------
    def forward_add(self, scheduler: Any, trial: ScheduledTrial) -> None:
        """Tell what *scheduler* describes that *trial* was born."""
        self._listening().forward_add(scheduler, TrialId(trial.trial_id))

    def forward_result(self, scheduler: Any, trial: ScheduledTrial, result: dict[str, Any]) -> str:
        """Tell what *scheduler* describes of *result*, and return what it says."""
        return self._listening().forward_result(scheduler, TrialId(trial.trial_id), result)

    def forward_choice(self, scheduler: Any) -> ScheduledTrial | None:
        """Return the trial that goes next according to what *scheduler* describes."""
        chosen = self._listening().forward_choice(scheduler)
        return None if chosen is None else self.trial(chosen)

    def _listening(self) -> Hearing:
        if self._hearing is None:
            raise LuthierError("tune_controller and its trials can be asked only while a hook of the scheduler runs")
        return self._hearing

    def _ordering(self, what: str) -> Hearing:
        if self._choosing:
            raise LuthierError(
                f"{what} was called in {self._choosing}, which may only choose and changes nothing: order it in "
                "on_trial_result or another of the hooks that tell news."
            )
        return self._listening()
