"""Runs an experiment: makes its directory, drives the loop, and says what came of it."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from luthier import __version__
from luthier.callbacks.console import Console
from luthier.callbacks.demand import DemandWatch
from luthier.callbacks.disk_guard import DiskGuard
from luthier.callbacks.plan import Plan
from luthier.callbacks.rebuild import Expected, bring_up_to_date
from luthier.callbacks.restarts import RestartWatch
from luthier.callbacks.summary import summarize
from luthier.callbacks.unsaved import UnsavedWatch
from luthier.control.controller import Controller
from luthier.control.deadlines import Deadlines
from luthier.control.interrupts import Interrupts
from luthier.control.loop import Loop
from luthier.control.patience import Patience
from luthier.core.errors import StoreFailed, shown_shortly
from luthier.core.terms import Status
from luthier.execution.descriptors import hold_standard_descriptors
from luthier.store.card import ExperimentCard
from luthier.store.jsonl import JsonlStore
from luthier.store.lock import WriterLock
from luthier.store.sessions import Sessions
from luthier.tune import elsewhere, kit, place, staging
from luthier.tune.adapt.callback_states import CallbackStates
from luthier.tune.adapt.callbacks import Callbacks
from luthier.tune.adapt.reporting import Reporting
from luthier.tune.adapt.roster import Roster
from luthier.tune.assigning import Assigning
from luthier.tune.elsewhere import Mirrored
from luthier.tune.executors import executor_of
from luthier.tune.history import History
from luthier.tune.leftovers import clear_away, exits_with_newer
from luthier.tune.naming import Naming
from luthier.tune.pace import PaceWatch
from luthier.tune.past import events_of
from luthier.tune.result import load_error
from luthier.tune.result_grid import ResultGrid
from luthier.tune.resumption import Resumption
from luthier.tune.searching import spoken
from luthier.tune.source import PART, source_of
from luthier.tune.watch import MetricWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luthier.callbacks.base import Listener
    from luthier.core.engine import Engine
    from luthier.core.state import ExperimentState
    from luthier.store.base import Record
    from luthier.tune.blueprint import Blueprint
    from luthier.tune.occupancy import Occupancy

log = logging.getLogger("luthier")

TICK_S = 0.5
SPOKEN = {  # what people call them
    "FIFOScheduler": "",
    "AsyncHyperBandScheduler": "ASHA",
    "PopulationBasedTraining": "PBT",
    "PopulationBasedTrainingReplay": "PBT replay",
}


class Experiment:
    """One experiment on this machine, new or taken up again.

    Args:
        blueprint: what to run.
        directory: an experiment's directory to go on in; a new one is made where None.
        resumption: of an experiment that goes on: which of its trials do, and what is new about it.

    Raises:
        StoreFailed: *directory* cannot be written to.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        directory: str | None = None,
        resumption: Resumption | None = None,
    ) -> None:
        self.blueprint = blueprint
        self._resumption = None if directory is None else resumption or Resumption()
        hold_standard_descriptors()
        self._occupancy: Occupancy | None = None
        self._failed: list[str] = []  # what ended the driver, in a line
        if directory is None:
            name, self.directory, self._remote = place.new_directory(blueprint.run, blueprint.name)
            try:
                self._executor = executor_of(
                    blueprint, self.directory
                )  # pickles the trainable: before anything is written
                try:
                    self._card = self._create(name)
                except BaseException:
                    self._executor.close(0.0)
                    raise
            except BaseException:
                place.remove_if_empty(self.directory)
                raise
        else:
            self.directory, self._remote = directory, staging.remote_of(directory)
            self._card = ExperimentCard.read(directory)
            _refuse_read_only(directory)
            self._executor = executor_of(blueprint, self.directory)
        self.shown = self.directory if self._remote is None else self._remote.url
        self.history = History(lambda: events_of(self.directory))
        self._interrupts = Interrupts(self._executor.wake)
        self._own = blueprint.listeners(self.directory)
        if directory is None and self._remote is not None:
            try:
                self._occupancy = elsewhere.publish(self.directory, self._remote, blueprint.run, self.stop)
            except BaseException:
                self._executor.close(0.0)
                raise

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
        mirrored: Mirrored | None = None
        with contextlib.ExitStack() as stack:
            stack.callback(self._executor.close, 0.0)  # whatever happens; the loop has closed it before, if all is well
            store = self._opened(stack)
            limits = blueprint.limits(self._card.seed, self._card.prefix)
            sessions, files = Sessions(), Expected()

            def witness(record: Record) -> None:
                sessions.add(record)
                files.hear(record)

            controller = Controller(store, blueprint.engine(limits, naming, self.directory), witness)
            naming.know(controller.experiment.trials)
            console = Console(int(run.verbose or 0), progress=run.progress_reporter is None)
            callbacks = Callbacks(run.callbacks or (), self.directory, blueprint.name, self.history)
            listeners = [*self._watchers(limits.keep), *self._own, console, *self._reporting(started)]
            states = CallbackStates(run.callbacks or (), self.directory)
            if run.callbacks:
                listeners[:0] = [callbacks, states]
            bring_up_to_date(self.directory, store.read, files)
            deadlines = Deadlines(blueprint.budget_s, time.monotonic() - sessions.used, TICK_S)
            if self._resumption is not None:
                self._take_up(self._resumption, controller, sessions, limits.num_trials, deadlines)
            if self._remote is not None and self._occupancy is not None:
                mirrored = Mirrored(
                    self.directory, self._remote, controller.experiment, self._occupancy, run.sync_config
                )
                listeners.append(mirrored.uploads)
            states.restore()
            console.start(self._plan(controller.engine))
            callbacks.setup(stop=run.stop, num_samples=blueprint.tune.num_samples, total_num_samples=blueprint.total())
            assigning = Assigning(blueprint, self._card, self.directory, None if mirrored is None else mirrored.bring)
            reason: str | None = "failed"
            try:
                with self._interrupts, place.noting_failure(self.directory, self._failed):
                    due = (deadlines, self._interrupts.reason, self._patience())
                    loop = Loop(controller, self._executor, listeners, assigning, *due)
                    reason = None if controller.finished else loop.run(run.grace_s)
                trials = controller.experiment.trials.values()
                clear_away([t for t in trials if t.failures and t.status.final], self.directory)
            finally:
                self.history.forget()
                for listener in listeners:
                    listener.close()
                console.finish(
                    summarize(
                        controller.experiment,
                        elapsed=time.time() - started,
                        directory=self.shown,
                        interrupted=reason is not None,
                        reason=reason or "",
                        error=self._failed[-1] if self._failed else "",
                    )
                )
                if mirrored is not None:
                    mirrored.finish(console.say)
        if self._interrupts.terminated:
            raise SystemExit(128 + 15)
        self._raise_first_error(controller.experiment)
        return ResultGrid(self.directory, controller.experiment, self.history)

    # -- the parts of a run --------------------------------------------------------------------------------------------
    def _opened(self, stack: contextlib.ExitStack) -> JsonlStore:
        """Return the log, open for writing until *stack* is closed; what it has lost is told.

        Where it lives elsewhere, no driver on another machine writes to it, and it holds what others have written.
        """
        size, grown = elsewhere.segment_bytes(self._remote), False
        if self._occupancy is not None:
            stack.callback(self._occupancy.end)
        store = stack.enter_context(JsonlStore(self.directory, segment_bytes=size))
        if self._remote is not None and self._occupancy is None:
            sync = self.blueprint.run.sync_config
            self._occupancy, grown = elsewhere.occupied(self.directory, self._remote, sync, self.stop)
            stack.callback(self._occupancy.end)
        if grown:
            self._card = ExperimentCard.read(self.directory)
            store.close()
            store = stack.enter_context(JsonlStore(self.directory, segment_bytes=size))
        for loss in store.losses:
            log.warning(loss)
        return store

    def _watchers(self, keep: int | None) -> list[Listener]:
        """Return the listeners that every experiment has."""
        from luthier.callbacks.files import result_files

        blueprint = self.blueprint
        stop = blueprint.run.stop
        watchers = [
            *result_files(self.directory),
            MetricWatch(stop if isinstance(stop, dict) else ()),
            PaceWatch(getattr(blueprint.scheduling, "time_attr", None)),
            UnsavedWatch(),
            DiskGuard(self.directory, keep),
        ]
        if expect := getattr(self._executor, "expect", None):  # it may grow
            watchers.append(DemandWatch(expect, blueprint.request, blueprint.total(), blueprint.max_concurrent()))
        if blueprint.run.executor == "ray" and not blueprint.tune.reuse_actors:
            watchers.append(RestartWatch())
        return watchers

    def _reporting(self, started: float) -> Iterator[Listener]:
        """Yield the user's reporter as a listener, if there is one."""
        blueprint = self.blueprint
        if blueprint.run.progress_reporter is None:
            return
        roster = Roster(self.directory, blueprint.name, self.history)
        reporting = Reporting(blueprint.run.progress_reporter, roster, blueprint.capacity)
        reporting.start(started, blueprint.total(), blueprint.goals, int(blueprint.run.verbose or 0))
        yield reporting

    def _take_up(
        self,
        resumption: Resumption,
        controller: Controller,
        sessions: Sessions,
        num_trials: int | None,
        deadlines: Deadlines,
    ) -> None:
        """Settle what an earlier driver left behind, and say which trials go on."""
        for ended in exits_with_newer(controller.experiment, self.directory):
            controller.handle(ended)
        resumption.take_up(controller, sessions, num_trials, deadlines.due(time.monotonic()))
        clear_away((t for t in controller.experiment.trials.values() if t.attempt), self.directory)
        self._write_again()
        for listener in self._own:
            listener.recall(events_of(self.directory))

    # -- before --------------------------------------------------------------------------------------------------------
    def _create(self, name: str) -> ExperimentCard:
        blueprint = self.blueprint
        card = ExperimentCard(
            name=name,
            trainable=blueprint.name,
            metrics=[goal.metric for goal in blueprint.goals],
            modes=[goal.mode for goal in blueprint.goals],
            num_samples=blueprint.tune.num_samples,
            seed=blueprint.seed(),
            prefix=os.urandom(3).hex()[:5],
            created=time.time(),
            version=__version__,
            space=shown_shortly(blueprint.param_space, 10_000),
        )
        lock = WriterLock(Path(self.directory, ".lock"))  # two that begin at once under one name
        try:
            place.refuse_taken(self.directory, name)
            try:
                lost = kit.save(self.directory, self._parts())
                card.write(self.directory)
            except StoreFailed:
                place.forget_lock(self.directory)  # nothing is left of what did not come to be
                raise
        finally:
            lock.release()
        if "param_space" in lost or "tune_config" in lost or "run_config" in lost:
            names = ", ".join(name for name in lost if name != kit.TRAINABLE)
            log.warning("%s cannot be pickled: Tuner.restore(...) will ask for it again.", names)
        return card

    def _parts(self) -> dict[str, Any]:
        blueprint = self.blueprint
        return {
            "param_space": blueprint.param_space,
            "param_keys": blueprint.param_keys(),
            "tune_config": blueprint.tune,
            "run_config": place.without_secrets(blueprint.run),
            PART: source_of(blueprint.trainable),
            kit.TRAINABLE: blueprint.trainable,
        }

    def _write_again(self) -> None:
        """Note how the experiment goes on: what is new is in the log by now."""
        card, goal = self._card, self.blueprint.goal
        if goal is not None and not card.metrics:  # written before a scheduler's own goal was the experiment's
            card = msgspec.structs.replace(card, metrics=[goal.metric], modes=[goal.mode])
        self._card = msgspec.structs.replace(card, num_samples=self.blueprint.tune.num_samples)
        kit.save(self.directory, self._parts())
        self._card.write(self.directory)

    def _patience(self) -> Patience:
        """Return how long attempts may take."""
        failure = self.blueprint.run.failure_config
        assert failure is not None  # noqa: S101 (set by RunConfig)
        limits = (failure.trial_timeout_s, failure.report_timeout_s)
        if self.blueprint.run.executor != "inline":
            return Patience(*limits)
        if limits != (None, None):
            log.warning(
                "trial_timeout_s and report_timeout_s have no effect on trials that run inline: nobody can end them "
                'from outside. RunConfig(executor="process") makes them work.'
            )
        return Patience()

    def _plan(self, engine: Engine) -> Plan:
        blueprint, experiment, tune = self.blueprint, engine.experiment, self.blueprint.tune
        scheduler = type(blueprint.scheduling).__name__
        return Plan(
            trials=blueprint.total(),
            directory=self.shown,
            searcher=spoken(blueprint.search, engine.searcher, blueprint.space),
            grid=blueprint.space.grid_size,
            samples=None if tune.num_samples < 0 else tune.num_samples,
            scheduler=SPOKEN.get(scheduler, scheduler.removesuffix("Scheduler")),
            goals=[(goal.metric, goal.mode) for goal in blueprint.goals],
            request=None if callable(blueprint.request) else dict(blueprint.request),
            total=blueprint.capacity,
            max_concurrent=blueprint.max_concurrent(),
            time_budget=blueprint.budget_s,
            done=sum(len(experiment.by_status[s]) for s in Status if s.final),
        )

    # -- after ---------------------------------------------------------------------------------------------------------
    def _raise_first_error(self, experiment: ExperimentState) -> None:
        if self._occupancy is not None:
            self._occupancy.refuse_loss()
        failure = self.blueprint.run.failure_config
        if failure is None or failure.fail_fast != "raise":
            return
        for trial in experiment.by_status[Status.FAILED]:
            t = experiment.trials[trial]
            raise load_error(os.path.join(self.directory, t.label.folder), t.reason)


def _refuse_read_only(directory: str) -> None:
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        msg = (
            f"{directory} is read-only: its results can be read (Tuner.restore(...).get_results(), "
            f"tune.ExperimentAnalysis, luthier show), but to go on, copy it to where you may write."
        )
        raise StoreFailed(msg)
