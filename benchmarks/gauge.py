"""What a command costs, with all the processes that it starts: ``python -m benchmarks.gauge [--memory] COMMAND...``.

Time and memory are gauged in runs apart, since looking at the memory of a dozen processes a hundred times a second
takes a good part of a core.

* *Time.* The gauge makes itself the one to whom orphans fall (``PR_SET_CHILD_SUBREAPER``), and waits for every process
  below it.  Its CPU seconds are then those that the kernel has counted for all of them, to the microsecond.  But a
  parent that has its children reaped by the kernel (``SIGCHLD`` ignored, as Ray's does) loses theirs.  So the clock of
  every process is also read ten times a second, and the larger of the two sums counts.  What a process that is lost in
  that way does between the last look and its end is in neither: that errs in the peer's favour.
* *Memory.* With ``--memory``, the resident memory of all processes is added up every 10 ms, and the greatest sum
  counts; beside it the proportional one (PSS), in which a page that n processes share counts 1/n in each.

It prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

import psutil

MEMORY_EVERY_S, CLOCKS_EVERY_S = 0.01, 0.1
TIMEOUT_S = 300.0
LEFT_S = 15.0  # that processes may outlive the command
PR_SET_CHILD_SUBREAPER = 36


class Watched:
    """The processes below this one, as they are seen; their memory too, if *memory*."""

    def __init__(self, *, memory: bool) -> None:
        self._memory = memory
        self.rss = self.pss = self.most = self.samples = 0
        self._cpu: dict[int, float] = {}
        self._me = psutil.Process()

    def look(self) -> None:
        """Read the clocks, and perhaps the memory, of all processes below this one."""
        rss = seen = 0
        below = self._me.children(recursive=True)
        for process in below:
            with contextlib.suppress(psutil.Error), process.oneshot():
                rss += process.memory_info().rss if self._memory else 0
                times = process.cpu_times()
                self._cpu[process.pid] = times.user + times.system
                seen += 1
        self.samples += 1
        self.most = max(self.most, seen)
        if self._memory and rss >= 0.9 * self.rss:  # the proportional sum takes long to read: only near the peak
            self.pss = max(self.pss, sum(_pss(process) for process in below))
        self.rss = max(self.rss, rss)

    def cpu_s(self) -> float:
        """Return the CPU seconds of every process when it was last seen, in all."""
        return sum(self._cpu.values())


def gauge(command: list[str], *, memory: bool) -> dict[str, Any]:
    """Run *command* and return what it took.

    Returns:
        ``wall_s`` until the command ended; ``cpu_s`` of all its processes, and ``cpu_waited_s`` of those that were
        waited for (the same, or less); ``left``, how many of these outlived it and had to be killed; with *memory* also
        ``rss_mb``, ``pss_mb`` and ``processes``; ``said``, its last line.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    watched, every = Watched(memory=memory), MEMORY_EVERY_S if memory else CLOCKS_EVERY_S
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        root = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        signal.signal(signal.SIGALRM, lambda *_: _kill_all())
        signal.alarm(int(TIMEOUT_S))
        ended = threading.Event()
        looking = threading.Thread(target=_look, args=(watched, every, ended))
        looking.start()
        root.wait()
        wall = time.perf_counter() - start
        left = _reap()
        ended.set()
        looking.join()
        signal.alarm(0)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        said, complained = _text(out), _text(err)
    if root.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {root.returncode}\n{said[-2000:]}\n{complained[-4000:]}")
    lines = [line for line in said.splitlines() if line.strip()]
    found: dict[str, Any] = {
        "wall_s": wall,
        "cpu_s": max(used.ru_utime + used.ru_stime, watched.cpu_s()),
        "cpu_waited_s": used.ru_utime + used.ru_stime,
        "left": left,
        "said": lines[-1] if lines else "",
    }
    if memory:
        found |= {"rss_mb": watched.rss / 2**20, "pss_mb": watched.pss / 2**20, "processes": watched.most}
    return found


def _look(watched: Watched, every: float, ended: threading.Event) -> None:
    if every > MEMORY_EVERY_S and ended.wait(every):
        return
    while True:
        watched.look()
        if ended.wait(every):
            return


def _reap() -> int:
    """Wait for what the command left behind; return how many had to be killed."""
    killed, until = 0, time.monotonic() + LEFT_S
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return killed
        if pid == 0:
            if time.monotonic() > until:
                killed += _kill_all()
                until = time.monotonic() + LEFT_S
            time.sleep(0.01)


def _kill_all() -> int:
    below = psutil.Process().children(recursive=True)
    for process in below:
        with contextlib.suppress(psutil.Error):
            process.kill()
    return len(below)


def _pss(process: psutil.Process) -> int:
    try:
        with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as f:
            for line in f:
                if line.startswith("Pss:"):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    return 0


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode(errors="replace"))


def main() -> None:
    command = sys.argv[1:]
    memory = command[:1] == ["--memory"]
    print(json.dumps(gauge(command[memory:], memory=memory)))


if __name__ == "__main__":
    main()
