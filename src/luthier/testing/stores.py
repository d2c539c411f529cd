"""What every event store must do.

from luthier.testing.stores import StoreContract

class TestMyStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        store = MyStore(tmp_path)
        yield store
        store.close()

    def reopen(self, store):        # for stores that outlive their object
        store.close()
        return MyStore(store.directory)
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import pytest

from luthier.core import events as ev
from luthier.core.errors import Conflict
from luthier.core.terms import Label, Outcome, Ref, Status, Then, TrialId, WorkerId

if TYPE_CHECKING:
    from luthier.store.base import EventStore

T0, W0 = TrialId("t0"), WorkerId("w0")
LABEL = Label("train_t0", "train_t0_0_lr=0.1_2026-01-01_00-00-00", "0_lr=0.1")

ONE_OF_EACH: tuple[ev.Event, ...] = (
    ev.WorkerJoined(W0, {"cpu": 2.0, "gpu": 0.5}),
    ev.Enqueued({"lr": 0.1, "layers": [64, 32]}),
    ev.Proposed(T0, 0, {"lr": 0.1, "net": {"kind": "mlp", "widths": (64, 32)}}, {"cpu": 1.0}, LABEL, enqueued=True),
    ev.Launched(T0, 1, W0, {"lr": 0.1, "net": {"kind": "mlp", "widths": (64, 32)}}, {"cpu": 1.0}, Ref("t9/c0")),
    ev.Reported(T0, 1, 0, {"loss": 0.5, "eval": {"accuracy": 0.75}, "note": None, "done": False}),
    ev.Reported(T0, 1, 1, {"loss": math.inf, "epoch": 2**70, "text": "häß\n"}, Ref("t0/checkpoint_000000")),
    ev.Halted(T0, 1, Then.REQUEUE, "exploits a better trial", {"lr": 0.2}, Ref("t1/c1"), {"cpu": 2.0}),
    ev.Exited(T0, 1, Outcome.HALTED, "", Ref("t0/checkpoint_000001")),
    ev.Requeued(T0, {"lr": 0.2}, None, {"cpu": 2.0}),
    ev.Paused(T0),
    ev.Ended(T0, Status.STOPPED, "enough"),
    ev.Forgotten(T0, Ref("t0/checkpoint_000000")),
    ev.SpaceExhausted("the grid is through"),
    ev.Stalled(),
    ev.StopRequested("time is up"),
    ev.Reopened(20, (T0, TrialId("t1")), from_scratch=True),
    ev.WorkerLost(W0),
)
# Events that have grown fields since: old logs lack them.
GROWN: tuple[ev.Event, ...] = (
    ev.Reopened(-1, lost=(W0,), ended=(T0,), stopping=True, note="num_samples 10 -> -1"),
    ev.Halted(T0, 1, Then.STOP, "rung 4", why={"rung": 4, "cutoff": 0.25, "metric": "loss"}),
    ev.Requeued(T0, {"lr": 0.2}, None, {"cpu": 2.0}, "exploits t1", {"source": "t1", "old": {"lr": 0.1}}),
    ev.Ended(T0, Status.STOPPED, "rung 9", {"rung": 9, "cutoff": math.inf, "new": {"layers": (3, 4)}}),
)


def _events(store: EventStore, after: int = 0) -> list[ev.Event]:
    return [event for record in store.read(after) for event in record.events]


class StoreContract:
    """The laws of :class:`~luthier.store.base.EventStore`; override the fixture ``store`` with an empty one."""

    @pytest.fixture
    def store(self) -> EventStore:
        """Return an empty store, to be closed by whoever overrides this."""
        raise NotImplementedError("override the fixture `store` with one that gives an empty store of yours")

    def reopen(self, store: EventStore) -> EventStore:
        """Return a store that holds the same log, as a later process would open it; *store* is closed by then."""
        return store

    def test_an_empty_log_holds_nothing(self, store: EventStore) -> None:
        assert list(store.read()) == []

    def test_what_was_appended_is_read_in_order(self, store: EventStore) -> None:
        end = 0
        for i, event in enumerate((*ONE_OF_EACH, *GROWN)):
            end = store.append([event], after=end)
            assert end == i + 1
        assert _events(store) == [*ONE_OF_EACH, *GROWN]

    def test_a_batch_stays_a_batch(self, store: EventStore) -> None:
        assert store.append(ONE_OF_EACH[:3], after=0) == 3
        assert store.append(ONE_OF_EACH[3:5], after=3) == 5
        records = list(store.read())
        assert [(r.first, r.end, r.events) for r in records] == [(0, 3, ONE_OF_EACH[:3]), (3, 5, ONE_OF_EACH[3:5])]

    def test_a_record_tells_when_it_was_stored(self, store: EventStore) -> None:
        before = time.time()
        store.append(ONE_OF_EACH[:1], after=0)
        store.append(ONE_OF_EACH[1:2], after=1)
        first, second = store.read()
        assert before - 1 <= first.at <= second.at <= time.time() + 1

    def test_reading_begins_where_asked_even_within_a_batch(self, store: EventStore) -> None:
        store.append(ONE_OF_EACH[:4], after=0)
        store.append(ONE_OF_EACH[4:6], after=4)
        for after in range(8):
            assert _events(store, after) == list(ONE_OF_EACH[after:6])
        assert [r.first for r in store.read(2)] == [2, 4]

    @pytest.mark.parametrize("after", [0, 1, 3, -1])
    def test_who_has_not_read_everything_may_not_append(self, store: EventStore, after: int) -> None:
        store.append(ONE_OF_EACH[:2], after=0)
        with pytest.raises(Conflict):
            store.append(ONE_OF_EACH[2:3], after=after)
        assert _events(store) == list(ONE_OF_EACH[:2])
        assert store.append(ONE_OF_EACH[2:3], after=2) == 3

    def test_a_batch_of_nothing_leaves_no_record(self, store: EventStore) -> None:
        assert store.append([], after=0) == 0
        store.append(ONE_OF_EACH[:1], after=0)
        assert store.append([], after=1) == 1
        assert len(list(store.read())) == 1
        with pytest.raises(Conflict):
            store.append([], after=0)

    def test_who_reads_sees_later_batches_the_next_time(self, store: EventStore) -> None:
        store.append(ONE_OF_EACH[:1], after=0)
        assert len(_events(store)) == 1
        store.append(ONE_OF_EACH[1:2], after=1)
        assert len(_events(store)) == 2

    def test_nan_is_not_none(self, store: EventStore) -> None:
        store.append([ev.Reported(T0, 1, 0, {"loss": math.nan, "none": None, "low": -math.inf})], after=0)
        (event,) = _events(store)
        assert isinstance(event, ev.Reported)
        assert math.isnan(event.metrics["loss"])
        assert event.metrics["none"] is None
        assert event.metrics["low"] == -math.inf

    def test_a_reopened_log_goes_on(self, store: EventStore) -> None:
        store.append(ONE_OF_EACH[:3], after=0)
        again = self.reopen(store)
        try:
            assert _events(again) == list(ONE_OF_EACH[:3])
            with pytest.raises(Conflict):
                again.append(ONE_OF_EACH[3:4], after=2)
            assert again.append(ONE_OF_EACH[3:4], after=3) == 4
            assert _events(again) == list(ONE_OF_EACH[:4])
        finally:
            again.close()

    def test_closing_twice_does_no_harm(self, store: EventStore) -> None:
        store.append(ONE_OF_EACH[:1], after=0)
        store.close()
        store.close()

    def test_one_of_each_kind_is_tried(self) -> None:
        assert {type(event).__name__ for event in ONE_OF_EACH} == {
            name
            for name, kind in vars(ev).items()
            if isinstance(kind, type) and issubclass(kind, ev._Event) and kind is not ev._Event  # noqa: SLF001
        }
