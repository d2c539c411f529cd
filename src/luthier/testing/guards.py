"""Policies under guard: they see read-only views only, and what they do to anything else is noticed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from luthier.core.explained import explained
from luthier.core.rng import Rng
from luthier.core.space import Space
from luthier.testing.views import ReadOnly

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.core.events import News
    from luthier.core.policy import Decision, ExperimentView, Nothing, Scheduler, Searcher
    from luthier.core.terms import Config, TrialId, Why


def inside(thing: Any, seen: tuple[int, ...] = ()) -> Any:
    """Return what *thing* holds, all the way down, as something that can be compared and printed.

    >>> inside({"b": {2, 1}})
    {"'b'": ('set', [1, 2])}
    """
    if id(thing) in seen or isinstance(thing, Space):  # which never changes, and may be large
        return "(itself)" if id(thing) in seen else f"a space of {len(thing)} axes"
    seen = (*seen, id(thing))
    if isinstance(thing, dict):
        return {repr(key): inside(value, seen) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [inside(value, seen) for value in thing]
    if isinstance(thing, (set, frozenset)):
        return type(thing).__name__, sorted(thing, key=repr)
    if isinstance(thing, Rng):
        return thing._key, thing._state  # noqa: SLF001 (a generator that is carried along is what is looked for)
    if hasattr(thing, "__qualname__") or hasattr(thing, "tolist"):  # functions and classes; arrays
        return thing.__qualname__ if hasattr(thing, "__qualname__") else thing.tolist()
    slots = (name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ()))
    names = [*getattr(thing, "__dict__", ()), *slots, *getattr(thing, "__struct_fields__", ())]
    if not names and not hasattr(thing, "__dict__"):
        return repr(thing)
    return {name: inside(getattr(thing, name), seen) for name in names if hasattr(thing, name)}


def chance() -> object:
    """Return the state of the generators that everybody shares, which no policy may touch."""
    import numpy as np

    ours, theirs = random.getstate(), np.random.get_state(legacy=False)  # noqa: NPY002 (only looked at)
    state = theirs["state"]
    return ours[1][0], ours[1][-1], ours[2], int(state["key"][0]), state["pos"], theirs["gauss"]


class GuardedSearcher:
    """Asks *searcher* twice, and objects to an ``ask`` that changes anything and to a ``tell`` that writes."""

    def __init__(self, searcher: Searcher) -> None:
        self.searcher = searcher

    def ask(self, number: int, rng: Rng) -> Config | Nothing:
        """Return what the searcher answers."""
        looked_at = getattr(self.searcher, "replayable", True)
        before, outside, key = repr(inside(self.searcher)) if looked_at else "", chance(), rng.split()._key  # noqa: SLF001
        answer = self.searcher.ask(number, rng)
        again = self.searcher.ask(number, Rng(key))
        assert repr(again) == repr(answer), f"ask({number}) answered {answer!r}, and then {again!r}"
        assert not looked_at or repr(inside(self.searcher)) == before, f"ask({number}) changed the searcher"
        assert chance() == outside, f"ask({number}) drew from a generator that everybody shares"
        return answer

    def explain(self, number: int) -> Why | None:
        """Return what the searcher explains."""
        looked_at = getattr(self.searcher, "replayable", True)
        before = repr(inside(self.searcher)) if looked_at else ""
        found = explained(self.searcher, number)
        assert not looked_at or repr(inside(self.searcher)) == before, f"explain({number}) changed the searcher"
        return found

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Tell the searcher."""
        before, outside = repr(news), chance()
        self.searcher.tell(news, ReadOnly(experiment))
        assert repr(news) == before, f"tell changed the news: {before} is now {news!r}"
        assert chance() == outside, "tell drew from a generator that everybody shares"


class GuardedScheduler:
    """Objects to decisions about nobody, to picks that were not offered, to writing and to hidden chance."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return what the scheduler decides."""
        before, outside = repr(news), chance()
        decisions = list(self.scheduler.decide(news, ReadOnly(experiment), rng))
        assert repr(news) == before, f"decide changed the news: {before} is now {news!r}"
        assert chance() == outside, "decide drew from a generator that everybody shares"
        for decision in decisions:
            trial = getattr(decision, "trial", None)
            if trial is not None:
                experiment.trial(trial)  # KeyError: there is no such trial
        return decisions

    def pick(self, waiting: Iterable[TrialId], experiment: ExperimentView) -> TrialId | None:
        """Return which trial the scheduler picks."""
        offered = list(waiting)
        before = repr(inside(self.scheduler))
        picked = self.scheduler.pick(iter(offered), ReadOnly(experiment))
        assert picked is None or picked in offered, f"pick returned {picked!r}, which was not offered"
        assert self.scheduler.pick(iter(offered), ReadOnly(experiment)) == picked, "pick changed its mind"
        assert repr(inside(self.scheduler)) == before, "pick changed the scheduler"
        return picked
