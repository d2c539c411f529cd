"""What every scheduler must do, as a test class to inherit from.

::

    class TestMine(SchedulerContract):
        def make(self):
            return MyScheduler(patience=3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.terms import Status
from luthier.search.fixed import Fixed
from luthier.simulation.world import World
from luthier.testing.guards import GuardedScheduler, inside
from luthier.testing.searchers import PHASES

if TYPE_CHECKING:
    from luthier.core.policy import Scheduler
    from luthier.core.terms import Config, Metrics

SIZES = (1, 2, 5, 6, 7, 30)  # trials: fewer than a bracket, a bracket, more than one


def falling(config: Config, step: int) -> float:
    """Return a loss that falls with each step, from a height that the config gives."""
    return float(config["x"]) + 1 / step


class SchedulerContract:
    """Inherit and say how one is made; pytest finds the rest.

    Attributes:
        steps: how many results a trial reports if nobody stops it; at least one must get there.
        waived: names of the tests that this scheduler is excused from, each to be argued where it is said.
    """

    steps: ClassVar[int] = 9
    waived: ClassVar[frozenset[str]] = frozenset()

    def make(self) -> Scheduler:
        """Return a new scheduler, the same each time."""
        raise NotImplementedError

    # -- the tests -----------------------------------------------------------------------------------------------------
    def test_a_kind_world_ends_and_somebody_reaches_the_end(self) -> None:
        """Law 10, with any number of trials on any number of workers."""
        for trials in SIZES:
            for workers in (1, 4, 40):
                engine, world = self._played(trials, workers)
                world.run(reports=10_000)
                assert engine.finished, f"{trials} trials on {workers} workers did not end"
                assert len(engine.experiment) == trials
                longest = max(e.metrics[world.time_attr] for e in world.log if isinstance(e, ev.Reported))
                if "reaches the end" not in self.waived:
                    assert longest >= self.steps, f"of {trials} trials on {workers} workers none went beyond {longest}"

    def test_the_same_history_gives_the_same_scheduler(self) -> None:
        """Laws 4 and 5: a scheduler is what it was told."""
        for told in PHASES:
            engine, world = self._played(12, 4)
            world.run(reports=told)
            again = Engine.replay(lambda: self._engine(12), world.log)
            assert repr(inside(again.scheduler)) == repr(inside(engine.scheduler)), (
                f"replay differs after {told} results"
            )

    def test_a_restart_changes_nothing(self) -> None:
        """Law 4: an experiment that was interrupted goes on as if it had not been."""
        _, whole = self._played(12, 4)
        whole.run(reports=1_000)
        for told in PHASES:
            _, world = self._played(12, 4)
            world.run(reports=told)
            world.engine = Engine.replay(lambda: self._engine(12), world.log)
            world.run(reports=1_000)
            assert repr(world.log) == repr(whole.log), f"a restart after {told} results changed what followed"

    def test_news_never_change_a_config(self) -> None:
        """Law 12: only a decision changes a config, and then the log says so."""
        engine, world = self._played(12, 4)
        world.run(reports=1_000)
        said = {}
        for event in world.log:
            if isinstance(event, (ev.Proposed, ev.Requeued)):
                said[event.trial] = event.config
        assert {t: trial.config for t, trial in engine.experiment.trials.items()} == said
        assert all(e.config == {"x": self._x(e.number)} for e in world.log if isinstance(e, ev.Proposed))

    def test_bad_results_are_survived(self) -> None:
        """NaN, missing metrics, failures and lost workers are facts of life; they end nothing but trials."""
        for trials in SIZES:
            engine, world = self._played(trials, 3, _bad, failure_rate=0.1, loss_rate=0.03)
            world.run(reports=10_000)
            assert engine.finished
            assert all(t.status.final for t in engine.experiment.trials.values())

    def test_a_request_to_stop_is_the_last_word(self) -> None:
        """Whatever it decides afterwards, the experiment ends."""
        for told in PHASES:
            engine, world = self._played(12, 4)
            world.run(reports=told)
            world.tell(ev.StopRequested("enough"))
            world.run(reports=10_000)
            assert engine.finished
            assert not engine.experiment.having(Status.PAUSED)

    def test_its_picks_are_of_what_is_offered(self) -> None:
        """It picks one of those that wait, or none; asking changes nothing: the guard looks at each pick."""
        engine, world = self._played(12, 2)
        world.run(until=2.0)
        for worker in list(engine.experiment.workers):
            world.tell(ev.WorkerLost(worker, on_purpose=True))  # all wait at once
        world.tell(ev.WorkerJoined(next(iter(world.resources)), {"cpu": 3.0}))
        assert engine.experiment.held > 0 or engine.finished

    # -- how they are run ----------------------------------------------------------------------------------------------
    @staticmethod
    def _x(number: int) -> float:
        return (number * 7 % 12) / 12

    def _engine(self, trials: int) -> Engine:
        configs = [{"x": self._x(number)} for number in range(trials)]
        limits = Limits(num_trials=trials, seed=3, max_failures=1, elastic=True)
        return Engine(limits, Fixed(configs), GuardedScheduler(self.make()), (Goal("loss", "min"),))

    def _played(
        self, trials: int, workers: int, curve: Any = falling, *, failure_rate: float = 0.0, loss_rate: float = 0.0
    ) -> tuple[Engine, World]:
        engine = self._engine(trials)
        world = World(
            engine, curve, lambda config, _: 1 + config["x"], self.steps, workers,
            failure_rate=failure_rate, loss_rate=loss_rate,
        )  # fmt: skip
        world.run(until=0.0)  # the workers join
        return engine, world


def _bad(config: Config, step: int) -> float | Metrics:
    kind = (round(config["x"] * 12) + step) % 4
    if kind == 0:
        return float("nan")
    return {} if kind == 1 else falling(config, step)
