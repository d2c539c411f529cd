"""What every searcher must do, as a test class to inherit from.

::

    class TestMine(SearcherContract):
        def make(self):
            return MySearcher({"x": uniform(0, 1)})
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from zlib import crc32

from luthier.core.engine import Engine
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.schedulers.fifo import Fifo
from luthier.simulation.world import World
from luthier.testing.guards import GuardedSearcher, inside

if TYPE_CHECKING:
    from collections.abc import Container

    from luthier.core.policy import Searcher
    from luthier.core.terms import Config, Metrics

PHASES = (0, 1, 3, 10, 40)  # results told: an impurity often shows only after there is something to learn from


def fingerprint(config: Config, step: int) -> float:
    """Return a loss in [0, 1) that depends on all of *config*, whatever is in it."""
    key = crc32(repr(sorted(config.items(), key=repr)).encode())
    return (rng_at(key).random() + 1 / step) / 2


class SearcherContract:
    """Inherit and say how one is made; pytest finds the rest.

    Attributes:
        space: what every config must be in, if it can be said; anything that has ``in``.
        steps: how many results each trial reports.
        adaptive: whether configs depend on results; if not, they must be the same whatever the concurrency.
        most: how many results at most, for a searcher whose answers take long.
        waived: names of the tests that this searcher is excused from, each to be argued where it is said.
    """

    space: ClassVar[Container[Any] | None] = None
    steps: ClassVar[int] = 2
    adaptive: ClassVar[bool] = True
    replayable: ClassVar[bool] = True  # False: hidden state of a library, of which only the answers are compared
    most: ClassVar[int] = 60
    waived: ClassVar[frozenset[str]] = frozenset()

    def make(self) -> Searcher:
        """Return a new searcher, the same each time."""
        raise NotImplementedError

    # -- the tests -----------------------------------------------------------------------------------------------------
    def test_ask_is_pure_in_every_phase(self) -> None:
        """Law 1: asking changes nothing, and asking again gives the same."""
        for told in self._phases("test_ask_is_pure_in_every_phase"):
            engine, _ = self._played(told)  # guarded: each ask on the way was asked twice
            number, searcher = len(engine.experiment), engine.searcher
            answers = [searcher.ask(number + ahead, rng_at(5, number + ahead)) for ahead in (0, 0, 3, 1, 0)]
            assert repr(answers[0]) == repr(answers[1]) == repr(answers[4])

    def test_the_same_history_gives_the_same_answers(self) -> None:
        """Laws 2 and 4: a searcher is what it was told; what it was asked, and when, is nothing to it."""
        for told in self._phases("test_the_same_history_gives_the_same_answers"):
            engine, world = self._played(told)
            again = Engine.replay(self._engine, world.log)
            if self.replayable:
                inner = repr(inside(again.searcher)), repr(inside(engine.searcher))
                assert inner[0] == inner[1], f"replay differs after {told} results"
            for number in range(len(engine.experiment), len(engine.experiment) + 5):
                one, two = (e.searcher.ask(number, rng_at(7, number)) for e in (engine, again))
                assert repr(one) == repr(two), f"ask({number}) after {told} results: {one!r}, after a replay {two!r}"

    def test_a_restart_changes_nothing(self) -> None:
        """Law 4: an experiment that was interrupted goes on as if it had not been."""
        whole, world = self._played(self.most)
        for told in self._phases("test_a_restart_changes_nothing"):
            _, before = self._played(told)
            before.engine = Engine.replay(self._engine, before.log)
            before.run(reports=self.most)
            assert repr(before.log) == repr(world.log), f"a restart after {told} results changed what followed"
        assert len(whole.experiment) > 0

    def test_configs_are_what_the_space_holds(self) -> None:
        """Each config is a dict of its own, and in the space if there is one."""
        engine, _ = self._played(min(40, self.most))
        for trial in engine.experiment.trials.values():
            assert isinstance(trial.config, dict)
            assert all(isinstance(key, str) for key in trial.config)
            assert self.space is None or trial.config in self.space, f"{trial.config} is not in {self.space}"

    def test_news_never_change_a_config(self) -> None:
        """Law 12: what was proposed stays as it was."""
        engine, world = self._played(0)
        first = {t.id: repr(t.config) for t in engine.experiment.trials.values()}
        world.run(reports=min(40, self.most))
        assert all(repr(engine.experiment.trials[t].config) == config for t, config in first.items())

    def test_the_seed_matters_and_concurrency_only_to_those_who_learn(self) -> None:
        """Law 2: randomness is a function of position."""
        if "test_the_seed_matters_and_concurrency_only_to_those_who_learn" in self.waived:
            return
        runs = [self._played(min(30, self.most), workers=workers)[0].experiment.trials for workers in (1, 1, 3, 16)]
        most = min(len(trials) for trials in runs)
        configs = [[repr(trial.config) for trial in list(trials.values())[:most]] for trials in runs]
        assert configs[0] == configs[1], "the same experiment twice gave different configs"
        if not self.adaptive:
            assert configs[0] == configs[2] == configs[3], "concurrency changed what was proposed"

    def test_bad_results_are_survived(self) -> None:
        """NaN, missing metrics, failures and lost workers are facts of life."""
        engine, world = self._played(0, failure_rate=0.2, loss_rate=0.05, curve=_bad, workers=3)
        world.run(reports=self.most)
        assert len(engine.experiment) > 0

    def test_a_kind_world_ends(self) -> None:
        """Law 10: with a number of trials given, all of them are tried, or the searcher says that there are no more."""
        engine, world = self._played(0, num_trials=25)
        world.run()
        assert engine.finished
        assert engine.experiment.exhausted or len(engine.experiment) == 25

    def test_exhausted_is_for_ever(self) -> None:
        """Who has no config for a number has none for a later one."""
        searcher = self.make()
        answers = [searcher.ask(number, rng_at(0, number)) for number in range(300)]
        if Nothing.EXHAUSTED in answers:
            first = answers.index(Nothing.EXHAUSTED)
            assert all(answer is Nothing.EXHAUSTED for answer in answers[first:])

    # -- how they are run ----------------------------------------------------------------------------------------------
    def _phases(self, test: str) -> tuple[int, ...]:
        return () if test in self.waived else tuple(sorted({min(told, self.most) for told in PHASES}))

    def _engine(self, num_trials: int = 60) -> Engine:
        searcher = GuardedSearcher(self.make())
        return Engine(Limits(num_trials=num_trials, seed=11, max_failures=1), searcher, Fifo(), (Goal("loss", "min"),))

    def _played(
        self, told: int, workers: int = 2, num_trials: int = 60, curve: Any = fingerprint, **world: Any
    ) -> tuple[Engine, World]:
        engine = self._engine(num_trials)
        played = World(engine, curve, length=self.steps, workers=workers, **world)
        played.run(until=0.0)  # the workers join
        played.run(reports=told)
        return engine, played


def _bad(config: Config, step: int) -> float | Metrics:
    kind = int(fingerprint(config, 1) * 1000) % 4
    if kind == 0:
        return float("nan")
    return {} if kind == 1 else fingerprint(config, step)
