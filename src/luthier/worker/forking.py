"""Whether a process may be forked: what is lost or broken in the copy."""

from __future__ import annotations

import _thread
import os
import sys
import threading
from pathlib import Path

# Threads that know of forks: the memory allocator of pyarrow, which pandas loads, takes its own down and up again.
_HARMLESS = frozenset({"jemalloc_bg_thd"})


def obstacle_to_forking() -> str:
    """Return why this process cannot be forked safely; empty where nothing speaks against it.

    A fork copies one thread: locks that others held stay locked for ever, and the pools of OpenMP wait for threads that
    are gone.  (OpenBLAS starts its threads when it is loaded and starts them again in a fork: they do no harm.)  CUDA
    and the XLA runtimes refuse to work in a copy of a process that has used them.
    """
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others or _thread._count() > 0:  # noqa: SLF001 (counts those that bypass threading as well)
        return f"a thread runs in it ({', '.join(others) or 'started without the threading module'})"
    return _used_accelerator() or _native_threads()


def _used_accelerator() -> str:
    torch_cuda = sys.modules.get("torch.cuda")
    if torch_cuda is not None and getattr(torch_cuda, "is_initialized", bool)():
        return "torch has started CUDA in it"
    bridge = sys.modules.get("jax._src.xla_bridge")
    if bridge is not None and getattr(bridge, "_backends", None):
        return "jax has started its backends in it"
    eager = getattr(sys.modules.get("tensorflow.python.eager.context"), "_context", None)
    if eager is not None and getattr(eager, "_initialized", False):
        return "TensorFlow has started its runtime in it"
    folder = Path("/proc/self/fd")
    if folder.is_dir():
        for link in folder.iterdir():
            try:
                if str(link.readlink()).startswith("/dev/nvidia-uvm"):
                    return "something has started CUDA in it"
            except OSError:  # the descriptor that this very loop reads the folder through
                continue
    return ""


def _name_of(task: Path) -> str:
    try:
        return (task / "comm").read_text("utf-8", "replace").strip()
    except OSError:  # it has just ended
        return next(iter(_HARMLESS))


def _native_threads() -> str:
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return ""
    running = sum(_name_of(task) not in _HARMLESS for task in tasks.iterdir()) - 1
    if not running:
        return ""
    mapped = {
        line.rpartition(" ")[2] for line in Path("/proc/self/maps").read_text("utf-8").splitlines() if "/" in line
    }
    libraries = sum("openblas" in os.path.basename(path) for path in mapped)
    allowed = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or ""
    each = int(allowed) if allowed.isdecimal() else os.cpu_count() or 1
    if running > libraries * (each - 1):
        return f"{running} native threads run in it (a pool of OpenMP, say)"
    return ""
