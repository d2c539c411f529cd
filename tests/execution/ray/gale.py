"""One round of chaos on a cluster of three nodes: nodes, actors and drivers die until the experiment has ended."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray._private.state import actors

from luthier.execution.ray.stage import Stage
from tests.crash import stormed
from tests.crash.audit import check_all
from tests.crash.storm import send

if TYPE_CHECKING:
    from tests.execution.ray.outposts import Outposts

SCRIPT = Path(stormed.__file__)
LONGEST = 150.0  # seconds that a driver may take that nobody kills any more
GONE = 30.0  # seconds after which nothing of a driver may be left

LIGHT = {  # what a driver must bear
    "actor killed": 4,
    "two actors killed": 2,
    "actor stopped, then killed": 1,
    "node lost": 4,
    "node lost and actor killed": 2,
    "node left": 1,
    "node stopped, then lost": 1,
}
HEAVY = {  # what ends it
    "driver killed": 4,
    "driver killed and node lost": 2,
    "driver and actors killed": 2,
    "driver stopped, then killed": 1,
}


class Gale:
    """An experiment of its own, with a chance of its own.

    Args:
        seed: of all rounds.
        number: of this one.
        folder: where it may write.
        address: of the cluster.
        outposts: its nodes that may be killed.
    """

    def __init__(self, seed: int, number: int, folder: Path, address: str, outposts: Outposts) -> None:
        self.chance = random.Random(f"{seed} {number}")
        self.folder, self.outposts, self.counts = folder, outposts, Counter(rounds=1)
        self.acknowledged = folder / "acknowledged"
        self.acknowledged.touch()
        pick = self.chance.choice
        self.options: dict[str, Any] = {
            "kind": pick(["function", "class"]),
            "every": pick([1, 1, 2, 3]),
            "keep": pick([None, 1, 2]),
            "reuse": pick([False, True]),
            "run": {"executor": "ray", "executor_options": {"address": address}},
        }
        self.lives = 0

    def run(self) -> Counter[str]:
        """Live through it and check what is left."""
        try:
            for _ in range(self.chance.choice([1, 2, 2, 3])):
                if self.live(deadly=True):
                    break
            else:
                assert self.live(deadly=False)
            self.nothing_is_left()
        finally:
            self.outposts.man()
        self.counts += check_all(self.folder, self.acknowledged)
        return self.counts

    def live(self, *, deadly: bool) -> bool:
        """Let a driver run; return whether it came to the end of the experiment."""
        self.counts["restores"] += self.lives > 0
        self.lives += 1
        said = self.folder / f"driver_{self.lives}.txt"
        with said.open("w") as output:
            driver = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(self.folder), json.dumps(self.options)],
                stdout=output,
                stderr=output,
                process_group=0,
            )
        until = time.monotonic() + LONGEST
        try:
            if self.chance.random() < 0.2:
                self.wait(driver, self.chance.uniform(0.5, 4.0))  # while it and its first actors start
            else:
                self.see_news(driver)
            for _ in range(self.chance.choice([0, 1, 1, 2, 3])):
                if self.wait(driver, self.chance.uniform(0.1, 1.5)):
                    self.strike(driver, self.draw(LIGHT))
            if deadly and self.wait(driver, self.chance.uniform(0.1, 1.5)):
                self.strike(driver, self.draw(HEAVY))
            self.outposts.man()
            code = driver.wait(until - time.monotonic())
        finally:
            driver.kill()
            driver.wait()
        if code == -signal.SIGKILL:
            assert deadly
            if self.chance.random() < 0.5:  # else the next driver comes while this one's actors may still be there
                self.nothing_is_left()
            return False
        assert code == 0, f"the driver ended with {code}:\n{said.read_text()}"
        return True

    def draw(self, strikes: dict[str, int]) -> str:
        return self.chance.choices(list(strikes), list(strikes.values()))[0]

    def see_news(self, driver: subprocess.Popen[bytes]) -> None:
        """Wait until a further report was acknowledged."""
        before, until = self.acknowledged.stat().st_size, time.monotonic() + LONGEST
        while self.acknowledged.stat().st_size == before and driver.poll() is None and time.monotonic() < until:
            time.sleep(0.05)

    def wait(self, driver: subprocess.Popen[bytes], seconds: float) -> bool:
        """Wait, while lost nodes may come back; return whether the driver still runs."""
        try:
            driver.wait(seconds)
        except subprocess.TimeoutExpired:
            if self.chance.random() < 0.5:
                self.outposts.man()
            return True
        return False

    def strike(self, driver: subprocess.Popen[bytes], what: str) -> None:
        pids = living()
        self.chance.shuffle(pids)
        pause = self.chance.uniform(0.05, 1.0)
        self.counts[what] += 1
        match what:
            case "actor killed":
                send(signal.SIGKILL, *pids[:1])
            case "two actors killed":
                send(signal.SIGKILL, *pids[:2])
            case "actor stopped, then killed":
                send(signal.SIGSTOP, *pids[:1])
                time.sleep(pause)
                send(signal.SIGKILL, *pids[:1])
            case "node lost":
                self.outposts.lose(self.chance)
            case "node lost and actor killed":
                self.outposts.lose(self.chance)
                send(signal.SIGKILL, *pids[:1])
            case "node left":
                self.outposts.lose(self.chance, how="removed")
            case "node stopped, then lost":
                self.outposts.lose(self.chance, how="stopped")
            case "driver killed":
                send(signal.SIGKILL, driver.pid)
            case "driver killed and node lost":
                send(signal.SIGKILL, driver.pid)
                self.outposts.lose(self.chance)
            case "driver and actors killed":
                send(signal.SIGKILL, *pids, driver.pid)
            case "driver stopped, then killed":
                send(signal.SIGSTOP, driver.pid)
                time.sleep(pause)
                send(signal.SIGKILL, driver.pid)
            case _:
                raise AssertionError(what)

    def nothing_is_left(self) -> None:
        deadline = time.monotonic() + GONE
        while left := living():
            assert time.monotonic() < deadline, f"actors are still there: {left}"
            time.sleep(0.1)


def living() -> list[int]:
    """Return the processes of trials' actors that the cluster has, of whatever driver."""
    stages = [a for a in actors().values() if a["ActorClassName"] == Stage.__name__ and a["State"] != "DEAD"]
    return [a["Pid"] for a in stages if a["Pid"]]
