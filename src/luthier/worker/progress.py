"""How far a trial has come: the fields that every result gets."""

from __future__ import annotations

import functools
import os
import time
from typing import Any

import msgspec

from luthier.checkpoints.local import progress_file

TOTALS = ("iteration", "time_total_s", "timesteps_total", "episodes_total", "looked_at")

_COUNTED = frozenset({"timesteps_this_iter", "episodes_this_iter"})


class Progress:
    """Counts iterations and seconds, and fills them into results.

    Args:
        iteration: training iterations before.
        time_total_s: seconds before.
        timesteps_total: sum of ``timesteps_this_iter`` before; None where none was reported.
        episodes_total: the same for ``episodes_this_iter``.

    Attributes:
        looked_at: time (as the scheduler counts it) of the last result that it wanted a checkpoint with; 0 at first.

    >>> result = {"loss": 0.5}
    >>> Progress(iteration=2).fill(result, 0.25)
    >>> result["training_iteration"], result["time_total_s"], result["done"]
    (3, 0.25, False)
    """

    __slots__ = (
        "_place",
        "episodes_total",
        "iteration",
        "iterations_since_restore",
        "looked_at",
        "time_since_restore",
        "time_total_s",
        "timesteps_since_restore",
        "timesteps_total",
    )

    def __init__(
        self,
        iteration: int = 0,
        time_total_s: float = 0.0,
        timesteps_total: float | None = None,
        episodes_total: float | None = None,
    ) -> None:
        self.iteration, self.time_total_s = iteration, time_total_s
        self.timesteps_total, self.episodes_total = timesteps_total, episodes_total
        self.iterations_since_restore, self.time_since_restore = 0, 0.0
        self.timesteps_since_restore: float = 0
        self.looked_at = 0.0
        self._place = {"pid": os.getpid(), "hostname": _hostname(), "node_ip": _node_ip()}

    def fill(self, result: dict[str, Any], seconds: float) -> None:
        """Count one iteration of *seconds* and write the fields into *result*.

        What the user gave wins for ``training_iteration``, ``time_this_iter_s``, ``timestamp``, ``done`` and the
        totals of timesteps and episodes.
        """
        given = result.get("time_this_iter_s")
        if isinstance(given, int | float):
            seconds = given
        self.iteration += 1
        self.iterations_since_restore += 1
        self.time_total_s += seconds
        self.time_since_restore += seconds
        if not _COUNTED.isdisjoint(result) or self.timesteps_total is not None or self.episodes_total is not None:
            self._sum(result)
        result.setdefault("training_iteration", self.iteration)
        result["time_this_iter_s"] = seconds
        result["time_total_s"] = self.time_total_s
        result["time_since_restore"] = self.time_since_restore
        result["iterations_since_restore"] = self.iterations_since_restore
        result.setdefault("timestamp", int(time.time()))
        result.update(self._place)
        result.setdefault("done", False)

    def write(self, folder: str) -> None:
        """Note beside the checkpoint *folder* how far the trial has come; who goes on from it counts on from there."""
        totals = {name: getattr(self, name) for name in TOTALS}
        file = os.open(progress_file(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.write(file, msgspec.json.encode(totals))
        finally:
            os.close(file)

    def read(self, folder: str) -> None:
        """Count on from what :meth:`write` noted beside *folder*, if it did."""
        try:
            with open(progress_file(folder), "rb") as file:
                totals = msgspec.json.decode(file.read(), type=dict[str, float | None])
        except (OSError, msgspec.MsgspecError):
            return
        for name in TOTALS:
            setattr(self, name, totals.get(name, getattr(self, name)))
        self.iteration = int(self.iteration)

    def _sum(self, result: dict[str, Any]) -> None:
        if (steps := result.get("timesteps_this_iter")) is not None:
            self.timesteps_total = (self.timesteps_total or 0) + steps
            self.timesteps_since_restore += steps
        if (episodes := result.get("episodes_this_iter")) is not None:
            self.episodes_total = (self.episodes_total or 0) + episodes
        if self.timesteps_total is not None:
            result.setdefault("timesteps_total", self.timesteps_total)
            result["timesteps_since_restore"] = self.timesteps_since_restore
        if self.episodes_total is not None:
            result.setdefault("episodes_total", self.episodes_total)


@functools.cache
def _hostname() -> str:
    import socket

    return socket.gethostname()


@functools.cache
def _node_ip() -> str:
    """Return the address that this machine has to others; 127.0.0.1 where it has none."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # reserved for documentation; a datagram socket sends nothing here
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
