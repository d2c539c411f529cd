"""One round of the storm: an experiment that is killed until it ends, and what must be true of it then."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from luthier.core.errors import Conflict
from luthier.store.jsonl import JsonlStore
from tests.crash.audit import check_all
from tests.crash.stormed import NAME

SCRIPT = Path(__file__).with_name("stormed.py")
LONGEST = 90.0  # seconds that a driver may take that nobody kills any more
GONE = 5.0  # seconds after which nothing of a driver may be left

LIGHT = {  # what a driver must bear
    "worker killed": 5,
    "two workers killed": 2,
    "template killed": 2,
    "worker and template killed": 1,
    "worker stopped": 3,
    "worker stopped, then killed": 3,
    "template stopped": 1,
    "template stopped, then killed": 1,
    "driver stopped": 2,
}
HEAVY = {  # what ends it
    "driver killed": 5,
    "driver and template killed": 2,
    "driver and worker killed": 2,
    "all killed": 2,
    "driver stopped, then killed": 2,
    "template stopped, then driver killed": 1,
}


class Round:
    """An experiment of its own, with a chance of its own.

    Args:
        seed: of all rounds.
        number: of this one.
        folder: where it may write.
    """

    def __init__(self, seed: int, number: int, folder: Path) -> None:
        self.chance = random.Random(f"{seed} {number}")
        self.folder, self.counts = folder, Counter(rounds=1)
        self.marker = f"luthier-storm-{folder}-"
        self.acknowledged = folder / "acknowledged"
        self.acknowledged.touch()
        pick = self.chance.choice
        self.options = {
            "kind": pick(["function", "class"]),
            "every": pick([1, 1, 2, 3]),
            "keep": pick([None, 1, 2]),
            "reuse": pick([False, True]),
            "run": {"start_method": pick(["fork"] * 5 + ["spawn"]), "resources": {"cpu": 3}},
        }
        self.lives = 0

    def run(self) -> Counter[str]:
        """Live through it and check what is left."""
        kills = self.chance.choice([1, 2, 2, 3, 3])
        for _ in range(kills):
            if self.live(deadly=True):
                break
        else:
            assert self.live(deadly=False)
        self.counts += check_all(self.folder, self.acknowledged)
        return self.counts

    def live(self, *, deadly: bool) -> bool:
        """Let a driver run; return whether it came to the end of the experiment."""
        self.counts["restores"] += self.lives > 0
        self.lives += 1
        env = {**os.environ, "STORM": self.marker}
        said = self.folder / f"driver_{self.lives}.txt"
        with said.open("w") as output:
            command = [sys.executable, str(SCRIPT), str(self.folder), json.dumps(self.options)]
            driver = subprocess.Popen(command, env=env, stdout=output, stderr=output, process_group=0)
        try:
            for _ in range(self.chance.choice([0, 0, 1, 1, 2])):
                if self.wait(driver, self.chance.uniform(0.1, 0.7)):
                    self.strike(driver, self.draw(LIGHT))
            if deadly and self.wait(driver, self.chance.uniform(0.0, 1.2)):
                self.strike(driver, self.draw(HEAVY))
            code = driver.wait(LONGEST)
        finally:
            driver.kill()
            driver.wait()
        self.nothing_is_left()
        if code == -signal.SIGKILL:
            assert deadly
            return False
        assert code == 0, f"the driver ended with {code}:\n{said.read_text()}"
        return True

    def draw(self, strikes: dict[str, int]) -> str:
        return self.chance.choices(list(strikes), list(strikes.values()))[0]

    def wait(self, driver: subprocess.Popen[bytes], seconds: float) -> bool:
        """Wait; return whether the driver still runs."""
        try:
            driver.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def strike(self, driver: subprocess.Popen[bytes], what: str) -> None:
        templates, workers = self.processes(driver.pid)
        self.chance.shuffle(workers)
        worker, template = workers[:1], templates[:1]
        pause = self.chance.uniform(0.05, 0.4)
        self.counts[what] += 1
        match what:
            case "worker killed":
                send(signal.SIGKILL, *worker)
            case "two workers killed":
                send(signal.SIGKILL, *workers[:2])
            case "template killed":
                send(signal.SIGKILL, *template)
            case "worker and template killed":
                send(signal.SIGKILL, *worker, *template)
            case "worker stopped" | "template stopped" | "driver stopped":
                held = {"worker": worker, "template": template, "driver": [driver.pid]}[what.partition(" ")[0]]
                send(signal.SIGSTOP, *held)
                time.sleep(pause)
                send(signal.SIGCONT, *held)
            case "worker stopped, then killed" | "template stopped, then killed":
                held = worker if what.startswith("worker") else template
                send(signal.SIGSTOP, *held)
                time.sleep(pause)
                send(signal.SIGKILL, *held)
            case "driver killed":
                send(signal.SIGKILL, driver.pid)
            case "driver and template killed":
                send(signal.SIGKILL, driver.pid, *template)
            case "driver and worker killed":
                send(signal.SIGKILL, *worker, driver.pid)
            case "all killed":
                send(signal.SIGKILL, *template, *workers, driver.pid)
            case "driver stopped, then killed":
                send(signal.SIGSTOP, driver.pid)
                self.a_second_driver_is_refused(driver.pid)
                send(signal.SIGKILL, driver.pid)
            case "template stopped, then driver killed":
                send(signal.SIGSTOP, *template)
                time.sleep(pause)
                send(signal.SIGKILL, driver.pid)
                time.sleep(pause)
                send(signal.SIGCONT, *template)
            case _:
                raise AssertionError(what)

    def a_second_driver_is_refused(self, pid: int) -> None:
        """A driver that hangs still holds its experiment."""
        directory = self.folder / NAME
        holder = JsonlStore(directory, readonly=True).writer()
        if holder is None or holder.pid != pid:
            return  # it has not begun, or has just ended
        with pytest.raises(Conflict, match=f"process {pid} "):
            JsonlStore(directory).close()
        self.counts["second drivers refused"] += 1

    def processes(self, driver: int) -> tuple[list[int], list[int]]:
        """Return the templates and the trials' processes."""
        templates: list[int] = []
        workers: list[int] = []
        for pid in marked(self.marker):
            if pid != driver:
                (templates if parent_of(pid) == driver else workers).append(pid)
        return templates, workers

    def nothing_is_left(self) -> None:
        deadline = time.monotonic() + GONE
        while left := marked(self.marker):
            assert time.monotonic() < deadline, f"still there: {[described(pid) for pid in left]}"
            time.sleep(0.02)


def send(signum: int, *pids: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, signum)
        except ProcessLookupError:
            continue


def marked(marker: str) -> list[int]:
    """Return the processes whose environment holds *marker*, zombies apart."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if marker.encode() in (folder / "environ").read_bytes() and stat(int(folder.name))[0] not in "ZX":
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def stat(pid: int) -> list[str]:
    """Return state, parent and so on, as /proc tells them."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def parent_of(pid: int) -> int:
    try:
        return int(stat(pid)[1])
    except OSError:
        return 0


def described(pid: int) -> str:
    try:
        return f"{pid} {Path(f'/proc/{pid}/comm').read_text().strip()} {stat(pid)[:2]}"
    except OSError:
        return f"{pid}, gone"
