"""A policy under guard: it sees read-only views, is asked twice, and may be told to raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.rng import Rng
from luthier.testing.views import ReadOnly

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.core.events import News
    from luthier.core.policy import Decision, ExperimentView, Nothing, Scheduler, Searcher
    from luthier.core.terms import Config, TrialId


class Raised(Exception):
    """What a policy raises under a burning fuse."""


class Fuse:
    """Raises at the n-th call of a policy."""

    def __init__(self) -> None:
        self.left = 0
        self.calls = 0  # of this batch

    def burn(self) -> None:
        self.calls += 1
        if self.calls > 5000:
            raise AssertionError("a batch without end")
        if self.left:
            self.left -= 1
            if not self.left:
                raise Raised("the fuse")


class GuardedSearcher:
    def __init__(self, searcher: Searcher, fuse: Fuse) -> None:
        self.searcher, self.fuse = searcher, fuse
        self.answer: Config | Nothing | None = None
        self.asked: list[tuple[int, int]] = []

    def ask(self, number: int, rng: Rng) -> Config | Nothing:
        self.fuse.burn()
        before, key = repr(vars(self.searcher)), rng._key
        self.answer = self.searcher.ask(number, rng)
        assert repr(self.searcher.ask(number, Rng(key))) == repr(self.answer), "law 1: ask is pure"
        assert repr(vars(self.searcher)) == before, "law 1: ask changes nothing"
        self.asked.append((number, key))
        return self.answer

    def tell(self, news: News, experiment: ExperimentView) -> None:
        self.fuse.burn()
        before = repr(news)
        self.searcher.tell(news, ReadOnly(experiment))  # law 12
        assert repr(news) == before, "law 12: news are not written"


class GuardedScheduler:
    def __init__(self, scheduler: Scheduler, fuse: Fuse) -> None:
        self.scheduler, self.fuse = scheduler, fuse
        self.held_back = False
        self.draws: list[int] = []

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        self.fuse.burn()
        before = repr(news)
        self.draws.append(rng._key)
        decisions = self.scheduler.decide(news, ReadOnly(experiment), rng)
        assert repr(news) == before, "law 12: news are not written"
        return decisions

    def pick(self, waiting: Iterable[TrialId], experiment: ExperimentView) -> TrialId | None:
        self.fuse.burn()
        candidates: list[Any] = list(waiting)
        assert candidates, "pick is asked only where something waits"
        picked = self.scheduler.pick(iter(candidates), ReadOnly(experiment))
        self.held_back = picked is None
        return picked
