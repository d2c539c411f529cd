"""One round of chaos: a sweep whose servers, agents and trials are killed at random, and its end."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.server.database import connect
from luthier.sweeps.client import Client
from tests.chaos.fleet import agent, answers, kill, server, wait_for
from tests.chaos.marks import at_work
from tests.chaos.reckoning import reckon, state_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.fleet import Member

TRIAL = Path(__file__).with_name("trial.py")
LEASE_S = 3.0
LONGEST_S = 90.0  # that a sweep may take once nobody is killed any more
STRIKES = {
    "trial killed": 5,
    "agent killed": 4,
    "agent killed and another comes": 1,
    "server killed": 4,
    "all servers killed": 1,
    "server stopped for a while": 1,
    "server and agent killed": 1,
    "all killed": 1,
}
WORLDS = (("sqlite", 1), ("postgresql", 2), ("postgresql", 1), ("sqlite", 2))  # database, servers


class Round:
    """A sweep of its own, with a chance of its own.

    Args:
        seed: of all rounds.
        number: of this one.
        folder: where it may write.
        database: makes the URL of a new database: it is told which kind.
    """

    def __init__(self, seed: int, number: int, folder: Path, database: Callable[[str, Path], str]) -> None:
        self.chance = random.Random(f"{seed} {number}")
        self.folder, self.counts = folder, Counter[str](rounds=1)
        self.marks = folder / "marks"
        self.kind, servers = WORLDS[number % len(WORLDS)]
        pick = self.chance.choice
        self.options: dict[str, Any] = {
            "database": self.kind,
            "servers": servers,
            "method": pick(["grid", "random"]),
            "runs": pick([8, 10, 12]),
            "max_failures": pick([-1, 1, 2]),
            "tell": pick(["lines", "log"]),
            "concurrency": pick([1, 1, 2]),
        }
        self.engine = connect(database(self.kind, folder))
        url = self.engine.url.render_as_string(hide_password=False)
        made = [server(f"server-{i}", folder, url, LEASE_S) for i in range(servers)]
        self.servers, self.urls = [one for one, _ in made], [where for _, where in made]
        self.agents: list[Member] = []
        self.killed: Counter[str] = Counter()
        self.sweep = ""
        self.past: list[str] = []  # what was done, and when
        self.began = time.monotonic()

    def run(self) -> Counter[str]:
        """Live through it and check what is left."""
        try:
            self._live()
            return self.counts
        finally:
            for member in (*self.servers, *self.agents):
                member.kill()
            for life in at_work(self.marks):
                kill(life.pid)
            self.engine.dispose()

    def _live(self) -> None:
        for member in self.servers:
            member.start()
        wait_for(lambda: all(map(answers, self.urls)), 60, "the servers start")
        self._note("servers up")
        with Client(self.urls[0]) as client:
            self.sweep = client.create_sweep(self._config())["sweep"]
        for _ in range(3):
            self._hire()
        wait_for(lambda: bool(at_work(self.marks)) or self.over, 60, "a trial begins", self._tend)
        self._note("first trial")
        began, storm = time.monotonic(), self.chance.uniform(1.0, 8.0)
        while time.monotonic() - began < storm and not self.over:
            until = time.monotonic() + self.chance.uniform(0.1, 1.2)
            while time.monotonic() < until:
                self._tend()
                time.sleep(0.02)
            self._strike()
        wait_for(lambda: self.over, LONGEST_S, "the sweep comes to its end", self._tend)
        self._note("over")
        wait_for(self._quiet, 30, "servers come back and agents leave", self._tend_servers)
        assert not at_work(self.marks), "a trial outlived the sweep"
        for member in self.agents:
            assert member.code == 0, f"{member.name} ended with {member.code}: {member.said()[-1000:]}"
        grid = self._grid() if self.options["method"] == "grid" else ()
        self.counts += reckon(
            self.engine, self.sweep, self.marks, self.options["runs"], killed=self.killed,
            max_failures=self.options["max_failures"], grid=grid,
        )  # fmt: skip
        for member in self.servers:
            member.end()
        self._note("end")

    @property
    def over(self) -> bool:
        """Whether the sweep has come to its end."""
        return state_of(self.engine, self.sweep) in {"FINISHED", "FAILED", "CANCELED"}

    def _quiet(self) -> bool:
        return all(member.here for member in self.servers) and not any(
            member.here or member.code != 0 for member in self.agents
        )

    def _grid(self) -> list[float]:
        return [float(x) for x in range(self.options["runs"])]

    def _config(self) -> str:
        method = self.options["method"]
        x = f"values: {self._grid()}" if method == "grid" else "min: 0.0, max: 1.0"
        cap = "" if method == "grid" else f"run_cap: {self.options['runs']}\n"
        return (
            f"method: {method}\nmetric: {{name: loss}}\n{cap}max_failures: {self.options['max_failures']}\n"
            f"output_metrics: {str(self.options['tell'] == 'lines').lower()}\nparameters: {{x: {{{x}}}}}\n"
            f"command: [{sys.executable}, {TRIAL}, {self.marks}, {self.options['tell']}]\n"
        )

    # -- trouble -------------------------------------------------------------------------------------------------------
    def _hire(self) -> Member:
        number = len(self.agents)
        more = ["--lease", str(LEASE_S), "--grace", "1", "--concurrency", str(self.options["concurrency"])]
        member = agent(f"agent-{number}", self.folder, self.sweep, self.urls[number % len(self.urls)], *more)
        self.agents.append(member)
        member.start()
        return member

    def _tend_servers(self) -> None:
        for member in self.servers:
            member.tend()
        self._tend_agents()

    def _tend_agents(self) -> None:
        for member in self.agents:
            if not member.here and member.code == 0:
                continue  # it was told that there is nothing more to do
            member.tend()

    def _tend(self) -> None:
        self._tend_servers()

    def _strike(self) -> None:
        what = self.chance.choices(list(STRIKES), list(STRIKES.values()))[0]
        here = [member for member in self.agents if member.here]
        up = [member for member in self.servers if member.here]
        away = self.chance.choice([0.0, 0.5, 1.5, LEASE_S + 0.5])
        match what:
            case "trial killed":
                working = at_work(self.marks)
                if not working:
                    return
                life = self.chance.choice(working)
                self.killed[life.run] += kill(life.pid)
            case "agent killed" if here:
                self.chance.choice(here).kill(away)
            case "agent killed and another comes" if here:
                member = self.chance.choice(here)
                member.kill()
                self.agents.remove(member)
                self._hire()
            case "server killed" if up:
                self.chance.choice(up).kill(away)
            case "all servers killed" if up:
                for member in up:
                    member.kill(away)
            case "server stopped for a while" if up:
                self.chance.choice(up).stop(self.chance.choice([0.5, LEASE_S + 1.0]))
            case "server and agent killed" if up and here:
                self.chance.choice(up).kill(away)
                self.chance.choice(here).kill(away / 2)
            case "all killed" if up:
                for member in (*up, *here):
                    member.kill(away)
            case _:
                return
        self.counts[what] += 1
        self._note(what)

    def _note(self, what: str) -> None:
        self.past.append(f"{time.monotonic() - self.began:.2f} s {what}")
