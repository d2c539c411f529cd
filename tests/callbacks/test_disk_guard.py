from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from luthier.callbacks.disk_guard import PAUSE, DiskGuard
from luthier.core import events as ev
from luthier.core.keep import Kept
from luthier.core.state import ExperimentState, TrialState
from luthier.core.terms import Label, Ref, TrialId

GB, GIB = 10**9, 1 << 30
T = TrialId("t")


@pytest.fixture
def warned(caplog):
    caplog.set_level(logging.WARNING, "luthier")
    return lambda: [record.getMessage() for record in caplog.records]


def guard(tmp_path, free, total=100 * GIB, keep=None):
    disk = SimpleNamespace(total=total, free=free)
    return DiskGuard(str(tmp_path), keep, lambda path: disk), disk


def checkpoints(guard, tmp_path, count, size, before=0):
    """Tell of *count* checkpoints, where *before* of them were made by an earlier driver."""
    t = TrialState(T, 0, {}, {}, Label("t", "t", ""))
    experiment = ExperimentState(trials={T: t})
    for i in range(count):
        ref = Ref(f"t/checkpoint_{i:06d}")
        folder = tmp_path / ref / "sub"
        folder.mkdir(parents=True)
        (folder / "model").write_bytes(b"x" * size)
        t.kept = (*t.kept, Kept(ref))
        if i >= before:
            guard.on_events([ev.Reported(T, 1, i, {}, ref)], experiment)
    return experiment


@pytest.mark.parametrize(
    ("free", "total", "says"),
    [
        (6 * GIB, 100 * GIB, False),
        (4.9 * GIB, 100 * GIB, True),  # under 5 %
        (1.1 * GIB, 4 * GIB, False),
        (0.9 * GIB, 4 * GIB, True),  # under 1 GiB, though more than 5 %
        (21 * GIB, 9000 * GIB, False),  # of a large disk 5 % would be a lot
        (19 * GIB, 9000 * GIB, True),
    ],
)
def test_when_it_warns(tmp_path, warned, free, total, says):
    watching, _ = guard(tmp_path, free, total)
    watching.on_tick(1.0)
    assert len(warned()) == says


def test_it_does_not_nag(tmp_path, warned):
    watching, disk = guard(tmp_path, 0.5 * GIB)
    for now in range(int(PAUSE)):
        watching.on_tick(1000.0 + now)
    assert len(warned()) == 1
    assert "537 MB of 107.4 GB free" in warned()[0]
    assert "num_to_keep" not in warned()[0]
    watching.on_tick(1000.0 + PAUSE + 1)
    assert len(warned()) == 2
    disk.free = 50 * GIB
    watching.on_tick(1000.0 + 3 * PAUSE)
    assert len(warned()) == 2


def test_checkpoints_that_fill_it_are_named(tmp_path, warned):
    watching, _ = guard(tmp_path, 100_000)
    experiment = checkpoints(watching, tmp_path, 40, 5000, before=7)
    watching.on_tick(1.0)
    assert "40 checkpoints take about 200 kB: CheckpointConfig(num_to_keep=1)" in warned()[0]
    for kept in experiment.trials[T].kept[4:]:
        watching.on_events([ev.Forgotten(T, kept.ref)], experiment)
    watching.on_tick(1.0 + 2 * PAUSE)
    assert "num_to_keep" not in warned()[1]  # they are the bulk no longer


def test_who_keeps_few_is_not_told_to(tmp_path, warned):
    watching, _ = guard(tmp_path, 1000, keep=2)
    checkpoints(watching, tmp_path, 2, 5000)
    watching.on_tick(1.0)
    assert warned()[0].endswith(" Its 2 checkpoints take about 10 kB, at num_to_keep=2.")


def test_a_disk_that_cannot_be_asked_is_no_trouble(tmp_path, warned):
    def fail(path):
        raise OSError

    DiskGuard(str(tmp_path), usage=fail).on_tick(1.0)
    DiskGuard(str(tmp_path / "gone")).on_tick(1.0)
    assert warned() == []
