"""A small loop that drives one executor, for its contract."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.errors import LuthierError
from luthier.core.limits import Limits
from luthier.core.rng import rng_at
from luthier.core.terms import Config, Metrics, TrialId
from luthier.schedulers.fifo import Fifo
from luthier.search.fixed import Fixed
from luthier.worker.assignment import Assignment, Checkpointing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.state import TrialState
    from luthier.execution.base import Executor


class Judge(Fifo):
    """A scheduler that is one function: news and the experiment in, decisions out."""

    def __init__(self, judge: Callable[[ev.News, ExperimentView], Sequence[Decision]]) -> None:
        self.judge = judge

    def decide(self, news: ev.News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return what the function decides."""
        return self.judge(news, experiment)


class Rig:
    """An engine, an executor, and the loop between them.

    Args:
        executor: what is to be driven; the rig closes it.
        experiment_dir: the experiment's directory; trials get theirs in it.
        configs: one trial each.
        judge: decides on news; nobody is ever stopped where None.
        limits: as the engine's; no retries where None.
        request: what each trial asks for.
        checkpointing: as the assignment's.
        seed: of the trials; None for unseeded.
        devices: what each trial is given.

    Attributes:
        log: all events, in order.
    """

    def __init__(  # noqa: PLR0913 (one argument for each side of an experiment)
        self,
        executor: Executor,
        experiment_dir: Path,
        configs: Iterable[Config] = ({},),
        *,
        judge: Callable[[ev.News, ExperimentView], Sequence[Decision]] | None = None,
        limits: Limits | None = None,
        request: Mapping[str, float] | None = None,
        checkpointing: Checkpointing | None = None,
        seed: int | None = 0,
        devices: Mapping[str, list[str]] | None = None,
    ) -> None:
        self.executor, self.experiment_dir = executor, experiment_dir
        limits = limits or Limits(max_losses=0)
        self.engine = Engine(limits, Fixed(list(configs)), Judge(judge) if judge else Fifo(), request=request)
        self.checkpointing = checkpointing or Checkpointing()
        self.seed, self.devices = seed, dict(devices or {})
        self.log: list[ev.Event] = []

    def run(self, timeout: float = 60.0, grace: float = 5.0, each_round: Callable[[], None] = lambda: None) -> Rig:
        """Drive the experiment to its end, close the executor, return the rig.

        *each_round* is called whenever the executor was polled, at least every 0.2 seconds.

        Raises:
            LuthierError: it was not over after *timeout* seconds; the text shows the last events.
        """
        until = time.monotonic() + timeout
        try:
            inbox: Sequence[ev.Observed] = self.executor.join(self.take)
            while True:
                for stimulus in inbox:
                    self.take(stimulus)
                if self.engine.finished:
                    return self
                left = until - time.monotonic()
                if left <= 0:
                    last = "\n".join(map(repr, self.log[-10:]))
                    raise LuthierError(f"not over after {timeout:g} s; the last events were\n{last}")
                inbox = self.executor.poll(min(left, 0.2))
                each_round()
        finally:
            self.executor.close(grace)

    def take(self, stimulus: ev.Observed) -> None:
        """Decide, act, and answer."""
        events = self.engine.handle(stimulus)
        self.log.extend(events)
        for event in events:
            if isinstance(event, ev.Launched):
                self.executor.carry_out(event, self.assignment(event))
            elif isinstance(event, ev.Halted | ev.Forgotten):
                self.executor.carry_out(event)
        if isinstance(stimulus, ev.Reported):
            verdict = self.engine.verdict(stimulus.trial, stimulus.attempt)
            self.executor.answer(stimulus.trial, stimulus.attempt, verdict)

    def assignment(self, order: ev.Launched) -> Assignment:
        """Return what the worker is told about *order*; the trial's directory exists then."""
        t = self.engine.experiment.trials[order.trial]
        folder = self.experiment_dir / t.id
        folder.mkdir(parents=True, exist_ok=True)
        last = t.metrics if order.restore else {}
        return Assignment(
            trial=t.id,
            attempt=order.attempt,
            number=t.number,
            config=order.config,
            resources=order.resources,
            name=f"name_of_{t.id}",
            tag=f"tag_of_{t.id}",
            trial_dir=str(folder),
            experiment="contract",
            experiment_dir=str(self.experiment_dir),
            restore=order.restore,
            devices=self.devices,
            seed=None if self.seed is None else rng_at(self.seed, 2, t.number).seed32(),
            iteration=last.get("training_iteration", 0),
            time_total_s=last.get("time_total_s", 0.0),
            next_checkpoint=sum(
                getattr(e, "checkpoint", None) is not None for e in self.of(t.id, ev.Reported, ev.Exited)
            ),
            checkpointing=self.checkpointing,
        )

    # -- reading the log -----------------------------------------------------------------------------------------------
    def of(self, trial: str | int, *kinds: type[ev.Event]) -> list[Any]:
        """Return the events of one trial (by id or number) that are of one of *kinds*."""
        wanted = self.trial(trial).id
        return [e for e in self.log if isinstance(e, kinds) and getattr(e, "trial", None) == wanted]

    def trial(self, trial: str | int) -> TrialState:
        """Return a trial by id or number."""
        trials = self.engine.experiment.trials
        return list(trials.values())[trial] if isinstance(trial, int) else trials[TrialId(trial)]

    def reports(self, trial: str | int = 0) -> list[Metrics]:
        """Return the metrics that a trial reported, in order."""
        return [e.metrics for e in self.of(trial, ev.Reported)]

    def exited(self, trial: str | int = 0) -> ev.Exited:
        """Return the last exit of a trial."""
        last: ev.Exited = self.of(trial, ev.Exited)[-1]
        return last
