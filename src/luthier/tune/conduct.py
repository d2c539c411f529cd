"""Runs an experiment: makes its directory, drives the loop, and says what came of it."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any

from luthier import __version__
from luthier.callbacks.console import Console
from luthier.callbacks.plan import Plan
from luthier.callbacks.rebuild import bring_up_to_date
from luthier.callbacks.summary import summarize
from luthier.control.controller import Controller
from luthier.control.deadlines import Deadlines
from luthier.control.interrupts import Interrupts
from luthier.control.loop import Loop
from luthier.core import events as ev
from luthier.core.errors import shown_shortly
from luthier.core.terms import Status
from luthier.execution.descriptors import hold_standard_descriptors
from luthier.store.card import ExperimentCard
from luthier.store.jsonl import JsonlStore
from luthier.tune import kit, place
from luthier.tune.adapt.callbacks import Callbacks
from luthier.tune.assigning import Assigning
from luthier.tune.history import History
from luthier.tune.naming import Naming
from luthier.tune.past import events_of
from luthier.tune.result import load_error
from luthier.tune.result_grid import ResultGrid
from luthier.tune.watch import MetricWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.callbacks.base import Listener
    from luthier.core.state import ExperimentState
    from luthier.execution.base import Executor
    from luthier.tune.blueprint import Blueprint

log = logging.getLogger("luthier")

TICK_S = 0.5
SPOKEN = {"FIFOScheduler": "", "AsyncHyperBandScheduler": "ASHA"}  # what people call them


class Experiment:
    """One experiment on this machine, new or taken up again.

    Args:
        blueprint: what to run.
        directory: an experiment's directory to go on in; a new one is made where None.
        rerun: of an experiment that goes on: which of its ended trials run once more, by their state.
        from_scratch: whether these begin anew instead of from their last checkpoint.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        directory: str | None = None,
        rerun: Callable[[ExperimentState], tuple[list[Any], list[Any]]] | None = None,
    ) -> None:
        self.blueprint = blueprint
        self._rerun = rerun
        hold_standard_descriptors()
        if directory is None:
            name, self.directory = place.new_directory(blueprint.run, blueprint.name)
            try:
                self._executor = self._make_executor()  # which pickles the trainable: before anything is written
                try:
                    self._card = self._create(name)
                except BaseException:
                    self._executor.close(0.0)
                    raise
            except BaseException:
                place.remove_if_empty(self.directory)
                raise
        else:
            self.directory = directory
            self._card = ExperimentCard.read(directory)
            self._executor = self._make_executor()
        self.history = History(lambda: events_of(self.directory))
        self._interrupts = Interrupts(self._executor.wake)

    def stop(self, reason: str = "stopped") -> None:
        """Ask for the end, from any thread: running trials let go, all is saved."""
        self._interrupts.request(reason)

    def run(self) -> ResultGrid:
        """Run to the end, and return what came of it.

        Raises:
            LuthierError: a policy raised, or the log could not be written; what was recorded stays.
        """
        blueprint, run = self.blueprint, self.blueprint.run
        started = time.time()
        naming = Naming(
            blueprint.name,
            blueprint.space,
            self.directory,
            blueprint.tune.trial_name_creator,
            blueprint.tune.trial_dirname_creator,
            self.history,
        )
        with JsonlStore(self.directory) as store:
            limits = blueprint.limits(self._card.seed, self._card.prefix)
            controller = Controller(store, blueprint.engine(limits, naming))
            naming.know(controller.experiment.trials)
            console = Console(int(run.verbose or 0))
            callbacks = Callbacks(run.callbacks or (), self.directory, blueprint.name, self.history)
            listeners: list[Listener] = [
                *self._files(),
                MetricWatch(run.stop if isinstance(run.stop, dict) else ()),
                console,
            ]
            if run.callbacks:
                listeners.insert(0, callbacks)
            if controller.experiment.trials:
                bring_up_to_date(self.directory, store.read)
            self._take_up(controller)
            console.start(self._plan(controller.experiment))
            callbacks.setup(stop=run.stop, num_samples=blueprint.tune.num_samples, total_num_samples=self._total())
            deadlines = Deadlines(blueprint.budget_s, time.monotonic(), TICK_S)
            assigning = Assigning(blueprint, self._card, self.directory)
            reason: str | None = "failed"
            try:
                with self._interrupts:
                    interrupted = self._interrupts.reason
                    loop = Loop(controller, self._executor, listeners, assigning, deadlines, interrupted)
                    reason = loop.run(run.grace_s)
            finally:
                self.history.forget()
                for listener in listeners:
                    listener.close()
                console.finish(
                    summarize(
                        controller.experiment,
                        elapsed=time.time() - started,
                        directory=self.directory,
                        interrupted=reason is not None,
                        reason=reason or "",
                    )
                )
        if self._interrupts.terminated:
            raise SystemExit(128 + 15)
        self._raise_first_error(controller.experiment)
        return ResultGrid(self.directory, controller.experiment, self.history)

    # -- before --------------------------------------------------------------------------------------------------------
    def _create(self, name: str) -> ExperimentCard:
        blueprint = self.blueprint
        goal = blueprint.goal
        card = ExperimentCard(
            name=name,
            trainable=blueprint.name,
            metrics=[goal.metric] if goal else [],
            modes=[goal.mode] if goal else [],
            num_samples=blueprint.tune.num_samples,
            seed=blueprint.seed(),
            prefix=os.urandom(3).hex()[:5],
            created=time.time(),
            version=__version__,
            space=shown_shortly(blueprint.param_space, 10_000),
        )
        parts = {"param_space": blueprint.param_space, "tune_config": blueprint.tune, "run_config": blueprint.run}
        kit.save(self.directory, parts)
        card.write(self.directory)
        return card

    def _make_executor(self) -> Executor:
        blueprint, run = self.blueprint, self.blueprint.run
        if run.executor == "inline":
            from luthier.execution.inline import InlineExecutor

            return InlineExecutor(blueprint.trainable, blueprint.capacity, experiment_dir=self.directory)
        from luthier.execution.process import ProcessExecutor

        return ProcessExecutor(
            blueprint.trainable,
            experiment_dir=self.directory,
            resources=blueprint.capacity,
            reuse=blueprint.tune.reuse_actors,
            start=run.start_method,
            echo=run.echo,
            grace=run.grace_s,
        )

    def _files(self) -> list[Listener]:
        from luthier.callbacks.files import result_files

        return list(result_files(self.directory))

    def _take_up(self, controller: Controller) -> None:
        """Settle what an earlier driver left behind: its workers are gone, and some trials run once more."""
        for event in controller.latest:
            if isinstance(event, ev.Forgotten):  # it may have died before it did so
                self._executor.carry_out(event)
        for worker in list(controller.experiment.workers):
            controller.handle(ev.WorkerLost(worker))
        if self._rerun is None:
            return
        onward, anew = self._rerun(controller.experiment)
        controller.handle(ev.Reopened(rerun=tuple(onward)))
        if anew:
            controller.handle(ev.Reopened(rerun=tuple(anew), from_scratch=True))

    def _total(self) -> int | None:
        total = getattr(self.blueprint.searcher(), "total", None)
        return total if isinstance(total, int) else None

    def _plan(self, experiment: ExperimentState) -> Plan:
        blueprint, tune = self.blueprint, self.blueprint.tune
        goal, scheduler = blueprint.goal, type(blueprint.scheduling).__name__
        return Plan(
            trials=self._total(),
            directory=self.directory,
            searcher="grid search" if blueprint.space.grid_size > 1 else "random search",
            grid=blueprint.space.grid_size,
            samples=None if tune.num_samples < 0 else tune.num_samples,
            scheduler=SPOKEN.get(scheduler, scheduler.removesuffix("Scheduler")),
            metric=goal.metric if goal else None,
            mode=goal.mode if goal else None,
            request=None if callable(blueprint.request) else dict(blueprint.request),
            total=blueprint.capacity,
            max_concurrent=blueprint.max_concurrent(),
            time_budget=blueprint.budget_s,
            done=sum(len(experiment.by_status[s]) for s in Status if s.final),
        )

    # -- after ---------------------------------------------------------------------------------------------------------
    def _raise_first_error(self, experiment: ExperimentState) -> None:
        failure = self.blueprint.run.failure_config
        if failure is None or failure.fail_fast != "raise":
            return
        for trial in experiment.by_status[Status.FAILED]:
            t = experiment.trials[trial]
            raise load_error(os.path.join(self.directory, t.label.folder), t.reason)
