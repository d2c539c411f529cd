"""What this machine has, and which of its GPUs is whose."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SLACK = 1e-9  # ten trials of 0.1 gpu share one gpu


def machine_resources() -> dict[str, float]:
    """Return what this machine offers to trials: ``cpu``, and ``gpu`` where there is one.

    CPUs are those that this process may run on, less where a control group allows less time.  GPUs are those in
    ``CUDA_VISIBLE_DEVICES``, or all where it is not set.
    """
    resources = {"cpu": float(_cpus())}
    gpus = gpu_ids()
    if gpus:
        resources["gpu"] = float(len(gpus))
    return resources


def gpu_ids() -> list[str]:
    """Return the ids of this machine's GPUs, as ``CUDA_VISIBLE_DEVICES`` knows them."""
    if not _has_driver():
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        ids = [name.strip() for name in visible.split(",")]
        # CUDA reads the list up to the first id that there cannot be.
        return ids[: next((i for i, name in enumerate(ids) if name in ("", "-1")), len(ids))]
    return [str(i) for i in range(_gpu_count())]


def _has_driver() -> bool:
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", "C:\\Windows")) / "System32" / "nvml.dll").exists()
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/dxg").exists()


def _gpu_count() -> int:
    try:
        import pynvml  # type: ignore[import-not-found,unused-ignore]  # whoever has it, has it
    except ImportError:
        folder = Path("/proc/driver/nvidia/gpus")
        return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0
    try:
        pynvml.nvmlInit()
        try:
            return int(pynvml.nvmlDeviceGetCount())
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return 0


def _cpus() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cpu_quota(Path("/"))
    return usable if quota is None else max(1, min(usable, int(quota)))


def _cpu_quota(root: Path) -> float | None:
    """Return how many CPUs' time the control groups of this process allow; None where they do not limit it."""
    quotas = []
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # Version 2 has one tree; version 1 has one per set of controllers.
        top = root / "sys/fs/cgroup" / controllers
        folder = top / place.lstrip("/")
        while True:
            quota = _quota_in(folder)
            if quota is not None:
                quotas.append(quota)
            if folder in (top, folder.parent):
                break
            folder = folder.parent
    return min(quotas, default=None)


def _quota_in(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text("utf-8").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text("utf-8").strip()
            period = (folder / "cpu.cfs_period_us").read_text("utf-8").strip()
        return None if quota in ("max", "-1") else int(quota) / int(period)
    except (OSError, ValueError):
        return None


class Devices:
    """Hands out devices: whole ones to one holder alone, fractions of one device to several.

    >>> devices = Devices(["0", "1"])
    >>> devices.take("a", 0.5), devices.take("b", 0.5), devices.take("c", 1), devices.take("d", 0.5)
    (['0'], ['0'], ['1'], None)
    >>> devices.give_back("c"); devices.take("d", 0.5)
    ['1']
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self._free = dict.fromkeys(ids, 1.0)
        self._held: dict[str, dict[str, float]] = {}

    def take(self, holder: str, amount: float) -> list[str] | None:
        """Return ids for *holder*, or None where there are not that many free now (fractions leave gaps)."""
        whole, part = int(amount + _SLACK), amount - int(amount + _SLACK)
        empty = [name for name, free in self._free.items() if free > 1 - _SLACK]
        if len(empty) < whole:
            return None
        share = dict.fromkeys(empty[:whole], 1.0)
        if part > _SLACK:
            rest = [name for name, free in self._free.items() if name not in share and free > part - _SLACK]
            if not rest:
                return None
            share[min(rest, key=lambda name: self._free[name])] = part  # the fullest one that has room
        self._held[holder] = share
        self._count()
        return list(share)

    def give_back(self, holder: str) -> None:
        """Free what *holder* has, if anything."""
        if self._held.pop(holder, None):
            self._count()

    def _count(self) -> None:
        """Count what is free anew, exactly: sums of fractions must not drift."""
        free = dict.fromkeys(self._free, 1.0)
        for share in self._held.values():
            for name, amount in share.items():
                free[name] -= amount
        self._free = free
