"""Trials get other resources while they run: what others leave, or whatever a function says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.events import Ended, Proposed, Reported
from luthier.core.policy import Resize
from luthier.core.resources import fits, shape, spelled
from luthier.core.terms import Status
from luthier.schedulers.deferred import about, deferred, makings
from luthier.schedulers.fifo import Fifo
from luthier.schedulers.shares import Growth

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.core.events import News
    from luthier.core.policy import Decision, ExperimentView, Scheduler
    from luthier.core.resources import Resources
    from luthier.core.rng import Rng
    from luthier.core.terms import TrialId

LIVE = (Status.PENDING, Status.RUNNING, Status.HALTING, Status.EXITED, Status.PAUSED)


class Allocate(Protocol):
    """Says what a trial is to have from now on."""

    def __call__(self, news: Reported, experiment: ExperimentView, sizes: Sizes) -> Resources | None:
        """Return the resources of the trial in the news, or None to leave them."""


class Sizes:
    """What trials have, counting what they are about to get.

    Attributes:
        first: what the first trial was born with; None before it.
    """

    def __init__(self) -> None:
        self.first: dict[str, float] | None = None
        self._due: dict[TrialId, dict[str, float]] = {}  # decided, and not there yet

    def of(self, trial: TrialId, experiment: ExperimentView) -> dict[str, float]:
        """Return what *trial* has, or is about to get."""
        due = self._due.get(trial)
        return dict(experiment.trial(trial).resources) if due is None else due

    def used(self, experiment: ExperimentView) -> list[dict[str, float]]:
        """Return what each trial has that has not come to its end, those that wait among them."""
        return [self.of(trial, experiment) for status in LIVE for trial in experiment.having(status)]

    def note(self, trial: TrialId, resources: dict[str, float] | None) -> None:
        """Note that *trial* is about to get *resources*, or with None that it has what it has."""
        if resources is None:
            self._due.pop(trial, None)
        else:
            self._due[trial] = resources


def even(news: Reported, experiment: ExperimentView, sizes: Sizes) -> Resources | None:
    """Share all CPUs alike between the trials that have not come to their end (GPUs, where the first began with one).

    >>> from luthier.core.state import ExperimentState, evolve
    >>> from luthier.core.events import Proposed, WorkerJoined
    >>> experiment, sizes = ExperimentState(), Sizes()
    >>> evolve(experiment, WorkerJoined("w", {"cpu": 5.0}))
    >>> evolve(experiment, Proposed("a", 0, {}, {"cpu": 1.0}))
    >>> evolve(experiment, Proposed("b", 1, {}, {"cpu": 1.0}))
    >>> sizes.first = {"cpu": 1.0}
    >>> even(Reported("a", 1, 0, {}), experiment, sizes)
    {'cpu': 3.0}
    """
    first = sizes.first or {}
    names = {"CPU": "cpu", "GPU": "gpu"}

    def plain(resources: Resources) -> dict[str, float]:
        return {kind: resources.get(name, 0.0) for kind, name in names.items()}

    growth = Growth({"GPU": 1.0} if first.get("gpu") else {"CPU": 1.0})
    used = [plain(resources) for resources in sizes.used(experiment)]
    total = {kind: sum(offer.get(name, 0.0) for offer in experiment.offers) for kind, name in names.items()}
    free = {kind: total[kind] - sum(u[kind] for u in used) for kind in names}
    base = [plain(first)]
    added = growth.added([plain(sizes.of(news.trial, experiment))], base)
    [new] = growth.together(base, growth.moved(added, free, growth.fair(len(used), base, total)))
    others = {name: amount for name, amount in first.items() if name not in names.values()}
    return {**{names[kind]: amount for kind, amount in new.items() if amount}, **others}


class Resizing:
    """Lets *base* judge the trials, and gives those that carry on other resources.

    A trial with other resources is restarted: from its latest checkpoint; a class trainable that can save does so on
    its way out.  Without a checkpoint it begins anew.  A trial whose judge has decided something about it keeps what
    it has.

    Args:
        base: judges the trials; none is ever stopped where None.
        allocate: says what a trial is to have; :func:`even` where None.
        careful: whether resources that no worker has are an error; else the trial keeps what it has.
        alike: whether all trials must be born with the same resources.

    Raises:
        BadArgumentType: *base* is no scheduler, or *allocate* cannot be called.

    >>> Resizing()
    Resizing(Fifo)
    """

    def __init__(
        self,
        base: Scheduler | None = None,
        allocate: Allocate | None = None,
        *,
        careful: bool = False,
        alike: bool = True,
    ) -> None:
        if base is not None and not (hasattr(base, "decide") and hasattr(base, "pick")):
            raise BadArgumentType("base", base, "a policy with decide() and pick()")
        if allocate is not None and not callable(allocate):
            raise BadArgumentType("allocate", allocate, "a function of the news, the experiment and the sizes")
        self.base: Scheduler = base or Fifo()
        self.allocate: Allocate = allocate or even
        self.careful, self.alike, self.sizes = careful, alike, Sizes()

    def __repr__(self) -> str:
        return f"Resizing({type(self.base).__name__})"

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return what the base decides, and a ``Resize`` where the trial in the news gets other resources.

        Raises:
            BadArgument: trials were born with different resources, or one is to get what no worker has.
        """
        decisions = self.base.decide(news, experiment, rng)
        if isinstance(news, Proposed):
            self._compare(news)
        elif isinstance(news, Ended):
            self.sizes.note(news.trial, None)
        elif isinstance(news, Reported):
            resize = self._resize(news, experiment, decisions)
            return decisions if resize is None else deferred((*makings(decisions), resize))
        return decisions

    def pick(self, waiting: Iterable[TrialId], experiment: ExperimentView) -> TrialId | None:
        """Return what the base picks."""
        return self.base.pick(waiting, experiment)

    def _compare(self, news: Proposed) -> None:
        if self.sizes.first is None:
            self.sizes.first = dict(news.resources)
        elif self.alike and shape(news.resources) != shape(self.sizes.first):
            raise BadArgument(
                "resources",
                dict(news.resources),
                f"the same to all trials ({spelled(self.sizes.first)}), or a function of your own that allocates them",
                f"trial {news.trial} asks for something else than the first, which nobody can share out evenly",
            )

    def _resize(self, news: Reported, experiment: ExperimentView, decisions: Sequence[Decision]) -> Resize | None:
        trial = experiment.trial(news.trial)
        if trial.status is not Status.RUNNING or not experiment.offers:
            return None
        self.sizes.note(trial.id, None)
        if any(about(making) in (None, trial.id) for making in makings(decisions)):
            return None
        wanted = self.allocate(news, experiment, self.sizes)
        if wanted is None or shape(wanted) == shape(trial.resources):
            return None
        new, old = dict(wanted), dict(trial.resources)
        if not any(fits(new, offer) for offer in experiment.offers):
            if not self.careful:
                return None
            most = max((spelled(offer) for offer in experiment.offers), key=len)
            raise BadArgument("resources", new, f"at most what a worker has: {most}", "the trial would wait for ever")
        self.sizes.note(trial.id, new)
        names = sorted(old.keys() | new.keys())
        changed = [name for name in names if old.get(name, 0.0) != new.get(name, 0.0)]
        why = {"old": {n: old.get(n, 0.0) for n in changed}, "new": {n: new.get(n, 0.0) for n in changed}}
        return Resize(trial.id, new, f"gets {spelled(new)} instead of {spelled(old)}", why)
