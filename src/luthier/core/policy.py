"""The two things that are plugged in: a searcher chooses configs, a scheduler judges trials.

Neither does I/O; neither holds a clock, a seed or a generator.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias

import msgspec

from luthier.core.terms import Config, Ref, TrialId, Why

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from luthier.core.events import Halted, News
    from luthier.core.goal import Goal, Score
    from luthier.core.resources import Resources
    from luthier.core.rng import Rng
    from luthier.core.terms import Label, Metrics, Status, WorkerId


class Nothing(Enum):
    """Why a searcher has no config to give."""

    NOT_YET = "wait for more results"
    EXHAUSTED = "there will never be another"


class TrialView(Protocol):
    """What a policy may see of a trial (read-only)."""

    @property
    def id(self) -> TrialId:
        """Its id."""

    @property
    def number(self) -> int:
        """Its number in the experiment, from 0."""

    @property
    def config(self) -> Config:
        """Its config."""

    @property
    def goes_on_with(self) -> Config:
        """Its config once it has obeyed the order that it has; :attr:`config` where that changes nothing."""

    @property
    def label(self) -> Label:
        """What it is called."""

    @property
    def status(self) -> Status:
        """Where it stands."""

    @property
    def metrics(self) -> Metrics:
        """The last metrics reported; empty before the first."""

    @property
    def score(self) -> Score | None:
        """Score of the last report that held the metric; lower is better."""

    @property
    def checkpoint(self) -> Ref | None:
        """Its last checkpoint."""

    @property
    def resources(self) -> dict[str, float]:
        """What it asks of a worker."""

    @property
    def order(self) -> Halted | None:
        """What it was told to do, until it has done so; also while its ``Exited`` is the news."""


class ExperimentView(Protocol):
    """What a policy may see of an experiment (read-only)."""

    @property
    def goals(self) -> tuple[Goal, ...]:
        """What is to be optimised; empty where nobody said."""

    @property
    def closed(self) -> bool:
        """Whether no further trial is to come, as far as is known: who extends an experiment opens it again."""

    @property
    def exhausted(self) -> bool:
        """Whether the searcher has said that there will be no more trials."""

    def trial(self, trial: TrialId) -> TrialView:
        """Return the trial of that id."""

    def having(self, status: Status) -> Collection[TrialId]:
        """The trials in *status*, in the order in which they came into it."""

    @property
    def offers(self) -> Sequence[Resources]:
        """What each worker has, free or in use."""

    def room(self, request: Resources) -> WorkerId | None:
        """A worker that has *request* free, or None."""

    def __len__(self) -> int:
        """How many trials have been proposed."""
        ...


class Searcher(Protocol):
    """Chooses configs.  Law: ``ask`` changes nothing; all knowledge arrives by ``tell``.

    One that lets others choose may have ``explain(number) -> Why | None``, too: by whom and why the config is chosen
    that ``ask(number, ...)`` returns; it changes nothing, either.
    """

    def ask(self, number: int, rng: Rng) -> Config | Nothing:
        """Return the config of the *number*-th trial (from 0); *rng* belongs to that number."""

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Hear what happened; *experiment* already shows it."""


# What is decided about one trial tells why twice: *reason* in words, *why* as names and plain values, for tables and
# pictures.  The names are those of :data:`luthier.core.terms.Why`.


class Stop(msgspec.Struct, frozen=True):
    """End *trial* where it stands."""

    trial: TrialId
    reason: str = "stopped by the scheduler"
    why: Why | None = None


class Pause(msgspec.Struct, frozen=True):
    """Take *trial* off its worker, to be resumed (or stopped) later."""

    trial: TrialId
    reason: str = "paused by the scheduler"
    why: Why | None = None


class Resume(msgspec.Struct, frozen=True):
    """Let a paused *trial* wait for a worker again."""

    trial: TrialId
    reason: str = ""
    why: Why | None = None


class Exploit(msgspec.Struct, frozen=True):
    """Restart *trial* with *config*, from *checkpoint* (of a better trial)."""

    trial: TrialId
    config: Config
    checkpoint: Ref | None
    reason: str = "exploits a better trial"
    why: Why | None = None


class Resize(msgspec.Struct, frozen=True):
    """Restart *trial* from its checkpoint with other *resources*."""

    trial: TrialId
    resources: dict[str, float]
    reason: str = "gets other resources"
    why: Why | None = None


class Finish(msgspec.Struct, frozen=True, gc=False):
    """End the whole experiment (what a stopper's ``stop_all`` asks for)."""

    reason: str


Decision: TypeAlias = Stop | Pause | Resume | Exploit | Resize | Finish


class Scheduler(Protocol):
    """Judges trials.  Silence means carry on; it may judge any trial, not only the one in the news."""

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return what is to change after *news*; *rng* belongs to the news' position in the log."""

    def pick(self, waiting: Iterable[TrialId], experiment: ExperimentView) -> TrialId | None:
        """Return which of *waiting* (never empty; all of them fit) goes next, or None to hold all back for now."""
