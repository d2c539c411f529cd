"""Three agents on machines of their own, and a cut between one of them and the server."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import Counter

import pytest

from luthier.server import sweeping
from luthier.server.database import connect
from luthier.server.roster import Roster
from luthier.server.writer import Writer
from luthier.sweeps.read import read
from tests.chaos.fleet import Member, agent, kill, server, wait_for
from tests.chaos.marks import at_work, lives
from tests.chaos.netns import Network, same
from tests.chaos.reckoning import reckon, state_of
from tests.chaos.turmoil import TRIAL

pytestmark = pytest.mark.slow  # and wants root: make chaos
LEASE_S = 5.0
RUNS = 4
STEP_S = 1.4  # so that a run takes longer than the lease


class Cut:
    """A sweep whose runs take longer than the lease, on three machines."""

    def __init__(self, network, folder, template, monkeypatch) -> None:
        self.network, self.folder, self.marks = network, folder, folder / "marks"
        url = f"sqlite:///{shutil.copyfile(template, folder / 'server.db')}"
        self.engine = connect(url)
        key = [sys.executable, "-m", "luthier", "server", "--database-url", url, "key", "add", "agents"]
        said = subprocess.run([*key, "--role", "write"], check=True, capture_output=True, text=True).stdout
        monkeypatch.setenv("LUTHIER_API_KEY", next(word for word in said.split() if word.startswith("lu")))
        config = (
            f"method: random\nmetric: {{name: loss}}\nrun_cap: {RUNS}\noutput_metrics: true\n"
            f"parameters: {{x: {{min: 0.0, max: 1.0}}}}\n"
            f"command: [{sys.executable}, {TRIAL}, {self.marks}, lines, '{STEP_S}']\n"
        )
        roster = Roster(lambda _agents: None)
        writer = Writer(self.engine, roster)
        self.sweep = writer.do(lambda c: sweeping.create(c, roster, read(config), "p", None, time.time()))
        writer.close()
        self.server, self.url = server(
            "server", folder, url, LEASE_S, "--auth", host=network.host, before=network.at_hub, port=8017
        )
        more = ("--lease", str(LEASE_S), "--grace", "1")
        self.agents = [agent(f"agent-{i}", folder, self.sweep, self.url, *more, before=network.at(i)) for i in range(3)]

    def start(self) -> None:
        self.server.start()
        probe = ["ip", "netns", "exec", self.network.at_hub[-1], sys.executable, "-c"]
        code = f"import socket; socket.create_connection(({self.network.host!r}, 8017)).close()"
        wait_for(
            lambda: not subprocess.run([*probe, code], capture_output=True, check=False).returncode, 60, "it starts"
        )
        for member in self.agents:
            member.start()
        wait_for(lambda: all(map(self.busy, range(3))), 60, "each has a run")

    def busy(self, machine: int) -> list[int]:
        """Return the pids of the trials on *machine*."""
        return [life.pid for life in at_work(self.marks) if same(life.pid, self._pid(machine))]

    def _pid(self, machine: int) -> int:
        process = self.agents[machine].process
        assert process is not None
        return process.pid

    def finish(self) -> Counter[str]:
        """Wait for the end, and check what there must be."""
        wait_for(lambda: state_of(self.engine, self.sweep) == "FINISHED", 90, "the sweep comes to its end")
        wait_for(lambda: not any(member.here for member in self.agents), 40, "the agents leave")
        assert [member.code for member in self.agents] == [0, 0, 0], [member.said() for member in self.agents]
        assert not at_work(self.marks)
        self.server.end()
        return reckon(self.engine, self.sweep, self.marks, RUNS, killed=Counter(), max_failures=0)

    def close(self) -> None:
        members: list[Member] = [self.server, *self.agents]
        for member in members:
            member.kill()
        for life in at_work(self.marks):
            kill(life.pid)
        self.engine.dispose()


@pytest.fixture
def cut(tmp_path, sqlite_template, monkeypatch):
    network = Network(3)
    network.open()
    try:
        found = Cut(network, tmp_path, sqlite_template, monkeypatch)
        try:
            found.start()
            yield found
        finally:
            found.close()
    finally:
        network.close()


def test_a_cut_shorter_than_the_lease_costs_nothing(cut):
    cut.network.cut(0)
    time.sleep(LEASE_S / 2)
    cut.network.mend(0)
    told = cut.finish()
    assert told["attempts"] == RUNS and told["agents lost"] == 0, (told, cut.agents[0].said())


def test_after_a_cut_longer_than_the_lease_the_run_is_at_another_agent_and_never_at_two(cut):
    (pid,) = cut.busy(0)
    began = time.monotonic()
    cut.network.cut(0)
    wait_for(lambda: not cut.busy(0), LEASE_S, "the agent that is cut off ends its run, before its lease is over")
    (lost,) = (life for life in lives(cut.marks) if life.pid == pid)
    assert not lost.ended and lost.last - began < LEASE_S
    wait_for(
        lambda: any((life.run, life.attempt) == (lost.run, 2) for life in lives(cut.marks)), 30, "it goes to another"
    )
    (again,) = (life for life in lives(cut.marks) if (life.run, life.attempt) == (lost.run, 2))
    assert again.begin > lost.last and not cut.busy(0)
    cut.network.mend(0)
    told = cut.finish()
    assert told["agents lost"] == 1 and told["attempts"] == RUNS + 1, told
