"""The GPUs of this machine, shared among all agents of one user by locks on files."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument, LuthierError
from luthier.execution.devices import gpu_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

_PARTS = 1000  # bytes that stand for one GPU: a lock on some of them is a share in it
_SLACK = 1e-9


def chosen_gpus(given: str) -> list[str]:
    """Return the ids of the GPUs that ``--gpus`` means: ``auto``, ``none`` or a list.

    Raises:
        BadArgument: it is none of these.

    >>> chosen_gpus("none"), chosen_gpus("0,2")
    ([], ['0', '2'])
    """
    text = given.strip()
    if text == "auto":
        return gpu_ids()
    if text in {"none", ""}:
        return []
    found = [name.strip() for name in text.split(",")]
    if not all(re.fullmatch(r"\d+|(?:GPU|MIG)-[\w:./-]+", name) for name in found) or len(set(found)) < len(found):
        raise BadArgument("gpus", given, "auto, none, or ids such as 0,2")
    return found


def runtime_directory() -> Path:
    """Return this user's directory for what lives only as long as its processes; it is made where it is not there.

    Raises:
        LuthierError: it belongs to somebody else.
    """
    own = os.environ.get("XDG_RUNTIME_DIR")
    place = Path(own) / "luthier" if own and os.access(own, os.W_OK) else _temporary()
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise LuthierError(f"{place} is not safe to use: others own it, or may write there")
    return place


def _temporary() -> Path:
    return Path(tempfile.gettempdir()) / f"luthier-{os.getuid()}"


class Gpus:
    """Hands out GPUs that nobody else has: whole ones, or a part of one.

    A lock belongs to the process, and ends with it, however that ends.

    Args:
        ids: as ``CUDA_VISIBLE_DEVICES`` knows them.
        folder: where the locks are; the user's own where None.
    """

    def __init__(self, ids: Sequence[str], folder: Path | None = None) -> None:
        self.ids = list(ids)
        self._folder = folder
        self._held: dict[str, list[tuple[_Gpu, int, int]]] = {}

    def take(self, holder: str, amount: float | None) -> list[str] | None:
        """Return ids for *holder*, or None where there are not that many free now.

        Args:
            holder: who asks.
            amount: how many, or which part of one; None for one, or a share of the least busy one.

        Raises:
            LuthierError: there are not that many at all.
        """
        if not self.ids or amount == 0:
            return []
        if amount is None:
            return self._whole(holder, 1) or self._any(holder)
        whole = int(amount + _SLACK)
        part = amount - whole
        if whole + (part > _SLACK) > len(self.ids):
            raise LuthierError(f"the run asks for gpu={amount:g}, and this agent has {len(self.ids)}")
        if whole and self._whole(holder, whole) is None:
            return None
        if part > _SLACK and not self._share(holder, max(1, int(part * _PARTS + _SLACK))):
            self.give_back(holder)
            return None
        return [gpu.name for gpu, _, _ in self._held[holder]]

    def give_back(self, holder: str) -> None:
        """Free what *holder* has, if anything."""
        for gpu, start, count in self._held.pop(holder, ()):
            gpu.free(start, count)

    def _all(self) -> list[_Gpu]:
        folder = self._folder or runtime_directory()
        return [_gpu(folder / f"gpu-{re.sub(r'[^A-Za-z0-9]', '_', name)}.lock", name) for name in self.ids]

    def _whole(self, holder: str, count: int) -> list[str] | None:
        mine: list[tuple[_Gpu, int, int]] = []
        for gpu in self._all():
            if len(mine) == count:
                break
            if gpu.take(0, _PARTS):
                mine.append((gpu, 0, _PARTS))
        if len(mine) < count:
            for gpu, start, size in mine:
                gpu.free(start, size)
            return None
        self._held[holder] = mine
        return [gpu.name for gpu, _, _ in mine]

    def _share(self, holder: str, size: int) -> bool:
        mine = self._held.get(holder, [])
        taken = {gpu.name for gpu, _, _ in mine}
        # The fullest first: whole ones stay free for those who want them.
        for gpu in sorted(self._all(), key=lambda gpu: -gpu.holders()):
            if gpu.name in taken:
                continue
            last = _PARTS - size
            for start in (*range(0, last + 1, size), *range(last + 1)):
                if gpu.take(start, size):
                    self._held[holder] = [*mine, (gpu, start, size)]
                    return True
        return False

    def _any(self, holder: str) -> list[str]:
        """Return a GPU that others have too: the one with the fewest guests."""
        gpu = min(self._all(), key=lambda gpu: gpu.guests())
        start = gpu.visit()
        self._held[holder] = [(gpu, start, 1)]
        return [gpu.name]


class _Gpu:
    """One GPU, as all agents in this process see it.  Bytes beyond its parts stand for guests."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._mine: set[int] = set()  # bytes that this process has: it does not exclude itself by locks
        self._lock = threading.Lock()

    def take(self, start: int, count: int) -> bool:
        with self._lock:
            wanted = range(start, start + count)
            if not self._mine.isdisjoint(wanted):
                return False
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, count, start)
            except OSError:
                return False
            self._mine.update(wanted)
            return True

    def free(self, start: int, count: int) -> None:
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_UN, count, start)
            self._mine.difference_update(range(start, start + count))

    def holders(self) -> int:
        return len(self._mine)

    def guests(self) -> int:
        """Return how many share it without having asked for a part."""
        found = 0
        for start in range(_PARTS, _PARTS + 64):
            if not self.take(start, 1):
                found += 1
            else:
                self.free(start, 1)
        return found

    def visit(self) -> int:
        start = _PARTS
        while not self.take(start, 1):
            start += 1
        return start


_known: dict[tuple[int, str], _Gpu] = {}
_knowing = threading.Lock()


def _gpu(path: Path, name: str) -> _Gpu:
    """Return the one object for *path* in this process: closing a second file would end the locks of the first."""
    with _knowing:
        key = (os.getpid(), str(path))
        if key not in _known:
            _known[key] = _Gpu(path, name)
        return _known[key]
