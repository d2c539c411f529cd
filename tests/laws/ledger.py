"""What a log means, worked out a second time and by other means than ``luthier.core.state``.

The ledger reads events one by one and objects to any that breaks a law; afterwards it can be compared with the state.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from luthier.core import events as ev
from luthier.core.keep import Kept
from luthier.core.terms import Outcome, Status, Then

if TYPE_CHECKING:
    from luthier.core.goal import Goal
    from luthier.core.limits import Limits
    from luthier.core.state import ExperimentState

P, R, H, E, Z, D, S, F = Status  # pending running halting exited paused done stopped failed


@dataclass
class Page:
    """One trial."""

    number: int
    config: Any
    resources: dict[str, float]
    status: Status = P
    attempt: int = 0
    seq: int = -1
    worker: str | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    score: float | None = None
    checkpoint: str | None = None
    kept: list[Kept] = field(default_factory=list)
    order: ev.Halted | None = None
    failures: int = 0
    losses: int = 0
    exit: ev.Exited | None = None


@dataclass
class Ledger:
    limits: Limits
    goal: Goal | None
    keep_by: Goal | None
    pages: dict[str, Page] = field(default_factory=dict)
    workers: dict[str, dict[str, float]] = field(default_factory=dict)
    enqueued: list[Any] = field(default_factory=list)
    num_trials: int | None = None
    exhausted: bool = False
    stopping: bool = False
    reopened: set[str] = field(default_factory=set)
    from_scratch: bool = False
    length: int = 0

    def __post_init__(self):
        self.num_trials = self.limits.num_trials

    # -- what follows from the pages -----------------------------------------------------------------------------------
    def held(self, worker: str | None = None) -> list[Page]:
        return [p for p in self.pages.values() if p.status in (R, H) and worker in (None, p.worker)]

    def free(self, worker: str) -> dict[str, float]:
        free = dict(self.workers[worker])
        for page in self.held(worker):
            for name, amount in page.resources.items():
                free[name] = free.get(name, 0.0) - amount
        return free

    @staticmethod
    def fits(asks: dict[str, float], free: dict[str, float]) -> bool:
        return all(amount <= 0 or amount <= free.get(name, 0.0) + 1e-6 for name, amount in asks.items())

    def room(self, asks: dict[str, float]) -> bool:
        return any(self.fits(asks, self.free(worker)) for worker in self.workers)

    def live(self) -> list[str]:
        return [t for t, p in self.pages.items() if p.status in (P, R, H, Z)]

    def finished(self) -> bool:
        enough = self.num_trials is not None and len(self.pages) >= self.num_trials
        return not self.live() and (self.stopping or (not self.enqueued and (self.exhausted or enough)))

    def pinned(self) -> set[str | None]:
        """Return what any trial would be restored from, its own and others'."""
        return {
            ref
            for page in self.pages.values()
            for ref in (page.checkpoint, None if page.order is None else page.order.restore)
        }

    def best(self, page: Page) -> set[str]:
        """Return as many as are to be kept, of the best: those that fewer are better than, or as good and newer."""
        assert self.limits.keep is not None
        worth = [-math.inf if k.rank is None or math.isnan(k.rank) else k.rank for k in page.kept]
        better = [
            sum(other > mine or (other == mine and j > i) for j, other in enumerate(worth))
            for i, mine in enumerate(worth)
        ]
        return {k.ref for k, above in zip(page.kept, better, strict=True) if above < self.limits.keep}

    # -- reading -------------------------------------------------------------------------------------------------------
    def read(self, event: ev.Event) -> None:
        self.length += 1
        if isinstance(event, (ev.WorkerJoined, ev.Reported, ev.Enqueued)):  # what was reopened has been dealt with
            self.reopened = set()
        getattr(self, "_" + type(event).__name__.lower())(event)

    def _workerjoined(self, e: ev.WorkerJoined) -> None:
        self.workers[e.worker] = dict(e.resources)

    def _workerlost(self, e: ev.WorkerLost) -> None:
        assert e.worker in self.workers, "law 6: the worker was not there"
        del self.workers[e.worker]

    def _enqueued(self, e: ev.Enqueued) -> None:
        self.enqueued.append(e.config)

    def _stoprequested(self, e: ev.StopRequested) -> None:
        assert not self.stopping, "law 6: it was stopping already"
        self.stopping = True

    def _reopened(self, e: ev.Reopened) -> None:
        self.stopping, self.exhausted = e.stopping, False
        if e.num_trials is not None:
            self.num_trials = e.num_trials if e.num_trials >= 0 else None
        for worker in e.lost:
            self.workers.pop(worker, None)
        self.reopened, self.from_scratch = {t for t in e.rerun if t in self.pages}, e.from_scratch

    def _spaceexhausted(self, e: ev.SpaceExhausted) -> None:
        assert not self.exhausted
        self.exhausted = True

    def _stalled(self, e: ev.Stalled) -> None:
        assert not self.held() and self.workers and not self.stopping, "nothing stalls while anything runs"

    def _proposed(self, e: ev.Proposed) -> None:
        assert e.trial not in self.pages and e.number == len(self.pages), "numbers count up"
        assert not self.stopping, "no trial is born while the experiment ends"
        if e.enqueued:
            assert self.enqueued.pop(0) == e.config, "enqueued configs come first, in their order"
        else:
            assert not self.enqueued and not self.exhausted
            assert self.num_trials is None or len(self.pages) < self.num_trials, "never more trials than asked"
        self.pages[e.trial] = Page(e.number, e.config, dict(e.resources))

    def _launched(self, e: ev.Launched) -> None:
        page = self.pages[e.trial]
        assert page.status is P and e.attempt == page.attempt + 1 and not self.stopping
        assert e.worker in self.workers and self.fits(e.resources, self.free(e.worker)), "never over capacity"
        most = self.limits.max_concurrent
        assert most is None or len(self.held()) < most, "never more than max_concurrent"
        assert (e.config, e.resources, e.restore) == (page.config, page.resources, page.checkpoint)
        page.status, page.attempt, page.worker, page.seq, page.order = R, e.attempt, e.worker, -1, None

    def _reported(self, e: ev.Reported) -> None:
        page = self.pages[e.trial]
        assert page.status in (R, H) and e.attempt == page.attempt and e.seq > page.seq, "law 6: stale is silent"
        page.seq, page.metrics, page.losses = e.seq, e.metrics, 0
        score = None if self.goal is None else self.goal.score(e.metrics)
        page.score = page.score if score is None else score
        self._save(page, e.checkpoint)

    def _halted(self, e: ev.Halted) -> None:
        page = self.pages[e.trial]
        assert page.status in (R, H) and e.attempt == page.attempt
        if page.order is not None:
            assert e.then is not page.order.then or e.config is not None, "the same order is not given twice"
            assert page.order.then is not Then.STOP, "an order to stop is final"
        page.status, page.order = H, e

    def _exited(self, e: ev.Exited) -> None:
        page = self.pages[e.trial]
        assert page.status in (R, H) and e.attempt == page.attempt, "law 6: stale is silent"
        page.failures += e.outcome is Outcome.ERROR
        page.losses += e.outcome is Outcome.LOST or (e.outcome is Outcome.HALTED and page.order is None)
        page.status, page.worker, page.exit = E, None, e
        self._save(page, e.checkpoint)

    def _paused(self, e: ev.Paused) -> None:
        self._after_exit(e)

    def _requeued(self, e: ev.Requeued) -> None:
        page = self.pages[e.trial]
        if page.status is E:
            self._after_exit(e)
        elif page.status is Z:
            assert not self.stopping
            page.status = P
        elif page.status is P:
            assert e.trial in self.reopened and self.from_scratch, "what waits is left alone, unless it begins anew"
            assert (e.config, e.restore, e.resources) == (page.config, None, page.resources) and not self.stopping
            self.reopened.discard(e.trial)
        else:
            assert e.trial in self.reopened and page.status.final, "only a reopened experiment reruns"
            restore = None if self.from_scratch else page.checkpoint
            assert (e.config, e.restore, e.resources) == (page.config, restore, page.resources)
            page.status, page.failures, page.losses = P, 0, 0
            self.reopened.discard(e.trial)
        page.config, page.checkpoint, page.resources, page.order = e.config, e.restore, dict(e.resources), None

    def _ended(self, e: ev.Ended) -> None:
        page = self.pages[e.trial]
        if page.status is E:
            self._after_exit(e)
        else:
            assert page.status in (P, Z) and (e.status is S or (e.status is F and page.status is P))
            if e.status is F:
                assert not self.limits.elastic, "refused what may yet come"
                assert not any(self.fits(page.resources, w) for w in self.workers.values()), "refused what would fit"
        page.status, page.order = e.status, None

    def _forgotten(self, e: ev.Forgotten) -> None:
        page = self.pages[e.trial]
        assert self.limits.keep is not None and len(page.kept) > self.limits.keep, "forgets no more than it must"
        assert e.checkpoint in [k.ref for k in page.kept], "forgets what was there"
        assert e.checkpoint != page.kept[-1].ref, "the latest checkpoint is never forgotten"
        assert e.checkpoint not in self.best(page), "nor one of the best"
        assert e.checkpoint not in self.pinned(), "nor one that any trial is to be restored from"
        page.kept = [k for k in page.kept if k.ref != e.checkpoint]

    def _save(self, page: Page, ref: str | None) -> None:
        if ref is not None:
            score = self.keep_by.score(page.metrics) if self.keep_by else None
            page.checkpoint = ref
            page.kept.append(Kept(ref, None if score is None else -score))  # type: ignore[arg-type]

    def _after_exit(self, e: ev.Requeued | ev.Paused | ev.Ended) -> None:
        """Law 7: what was ordered at the halt is what the exit brings."""
        page = self.pages[e.trial]
        assert page.exit is not None
        outcome, order, limits = page.exit.outcome, page.order, self.limits
        kind: Any
        if outcome is Outcome.FINISHED:
            kind = (ev.Ended, D)
        elif order is not None and order.then is Then.STOP:
            kind = (ev.Ended, S)
            assert isinstance(e, ev.Ended) and e.reason == order.reason
        elif (outcome is Outcome.ERROR and 0 <= limits.max_failures < page.failures) or page.losses > limits.max_losses:
            kind = (ev.Ended, F)
        elif order is not None and order.then is Then.PAUSE and not self.stopping:
            kind = (ev.Paused, None)
        elif self.stopping:
            kind = (ev.Ended, S)
        else:
            kind = (ev.Requeued, None)
            assert isinstance(e, ev.Requeued)
            if order is not None and order.config is not None:
                assert (e.config, e.restore) == (order.config, order.restore)
            else:
                assert (e.config, e.restore) == (page.config, page.checkpoint), "it goes on where it was"
            given = order.resources if order is not None else None
            assert e.resources == (page.resources if given is None else given)
        assert (type(e), getattr(e, "status", None)) == kind, f"law 7: {page.exit} under {order} brought {e}"
        page.exit = None
        page.status = Z if isinstance(e, ev.Paused) else P

    # -- comparing -----------------------------------------------------------------------------------------------------
    def compare(self, s: ExperimentState) -> None:
        """See that *s* says what the log says, and that its indexes say what its trials say."""
        assert (s.stopping, s.exhausted, s.num_trials) == (self.stopping, self.exhausted, self.num_trials)
        assert s.enqueued == self.enqueued and list(s.trials) == list(self.pages) and len(s) == len(self.pages)
        for t, page in self.pages.items():
            trial = s.trials[t]
            for name in ("number", "config", "resources", "status", "attempt", "seq", "worker", "metrics", "score"):
                assert repr(getattr(trial, name)) == repr(getattr(page, name)), f"{t}.{name}"
            for name in ("checkpoint", "order", "failures", "losses"):
                assert getattr(trial, name) == getattr(page, name), f"{t}.{name}"
            assert repr(list(trial.kept)) == repr(page.kept)
            if self.limits.keep is not None and page.kept:
                stay = self.best(page) | {page.kept[-1].ref} | self.pinned()
                assert {k.ref for k in page.kept} <= stay, "what nobody wants any more goes"
        if self.limits.keep is None:
            assert not s.pins and not s.owners, "where nothing ever goes nobody counts"
        else:
            pages = self.pages.values()
            starts = [r for p in pages for r in (p.checkpoint, p.order and p.order.restore) if r is not None]
            assert s.pins == Counter(starts)
            assert s.owners == {k.ref: t for t, p in self.pages.items() for k in p.kept}
        for status, group in s.by_status.items():
            assert sorted(group) == sorted(t for t, p in self.pages.items() if p.status is status)
        assert s.held == len(self.held())
        shapes: dict[Any, set[str]] = {}
        for t, page in self.pages.items():
            if page.status is P:
                shapes.setdefault(tuple(sorted(page.resources.items())), set()).add(t)
        assert {key: set(group) for key, group in s.waiting.items()} == shapes
        assert set(s.workers) == set(self.workers)
        for w, worker in s.workers.items():
            assert worker.resources == self.workers[w]
            assert set(worker.held) == {t for t, p in self.pages.items() if p.status in (R, H) and p.worker == w}
            free = self.free(w)
            assert worker.free.keys() == free.keys()
            assert all(abs(worker.free[name] - free[name]) < 1e-9 for name in free)
            assert (w in s.idle) == (any(amount > 0 for amount in worker.free.values()) or not worker.held)
        assert set(s.idle) <= set(s.workers)
