"""A look at the disk now and then: a warning while there is still time."""

from __future__ import annotations

import logging
import os
import shutil
from typing import TYPE_CHECKING

from luthier.callbacks.base import Silent
from luthier.core import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from luthier.core.state import ExperimentState
    from luthier.core.terms import Ref

log = logging.getLogger("luthier")

EVERY = 10.0  # seconds between two looks
PAUSE = 300.0  # seconds between two warnings
LEAST, SHARE, MOST = 1 << 30, 0.05, 20 << 30  # bytes, of the whole disk, bytes: what should be free
_BULK = 0.25  # of what is free: checkpoints that take more are worth a word
_SAMPLE = 16  # checkpoints that are measured


class DiskGuard(Silent):
    """Warns before the disk that holds the experiment is full; does nothing else.

    It warns where less than 1 GiB is free, or less than 5 % of the disk (of a large one: 20 GiB), at most every five
    minutes.

    Args:
        directory: the experiment's directory.
        num_to_keep: how many checkpoints a trial keeps; None for all.
        usage: returns an object with ``total`` and ``free`` bytes of the disk of a path.
    """

    def __init__(
        self, directory: str, num_to_keep: int | None = None, usage: Callable[[str], object] = shutil.disk_usage
    ) -> None:
        self._directory, self._keep, self._usage = directory, num_to_keep, usage
        self._next = self._quiet_until = 0.0
        self._kept: int | None = None  # checkpoints that were made and not forgotten
        self._latest: dict[Ref, None] = {}

    def on_events(self, events: Sequence[ev.Event], experiment: ExperimentState) -> None:
        """Count checkpoints."""
        for event in events:
            match event:
                case ev.Reported() | ev.Exited() if event.checkpoint is not None:
                    if self._kept is None:  # the first that this process sees: there may be others from before
                        self._kept = sum(len(t.kept) for t in experiment.trials.values()) - _made(events)
                    self._kept += 1
                    self._latest[event.checkpoint] = None
                    if len(self._latest) > _SAMPLE:
                        del self._latest[next(iter(self._latest))]
                case ev.Forgotten(_, checkpoint) if self._kept is not None:
                    self._kept -= 1
                    self._latest.pop(checkpoint, None)

    def on_tick(self, now: float) -> None:
        """Look, and warn."""
        if now < self._next:
            return
        self._next = now + EVERY
        try:
            found = self._usage(self._directory)
        except OSError:
            return
        total, free = getattr(found, "total", 0), getattr(found, "free", 0)
        if free >= max(LEAST, min(SHARE * total, MOST)) or now < self._quiet_until:
            return
        self._quiet_until = now + PAUSE
        log.warning(
            "the disk of %s is nearly full: %s of %s free. When it is full the experiment ends; what was recorded "
            "stays, and it can be gone on with once there is room.%s",
            self._directory,
            _spelled(free),
            _spelled(total),
            self._advice(free),
        )

    def _advice(self, free: float) -> str:
        sizes = [size for size in (_size(os.path.join(self._directory, ref)) for ref in self._latest) if size]
        estimate = (self._kept or 0) * sum(sizes) / len(sizes) if sizes else 0.0
        if estimate <= _BULK * free:
            return ""
        kept = f"{self._kept} checkpoints take about {_spelled(estimate)}"
        if self._keep is None:
            return f" Its {kept}: CheckpointConfig(num_to_keep=1) would keep the best and the latest of each trial."
        return f" Its {kept}, at num_to_keep={self._keep}."


def _made(events: Sequence[ev.Event]) -> int:
    """Return how many more checkpoints there are after *events* than before."""
    made = sum(isinstance(e, (ev.Reported, ev.Exited)) and e.checkpoint is not None for e in events)
    return made - sum(isinstance(e, ev.Forgotten) for e in events)


def _size(folder: str) -> int:
    """Return how many bytes the files in *folder* have; 0 where it is gone."""
    total = 0
    for root, _folders, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:  # it goes just now
                continue
    return total


def _spelled(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004 (units)
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
