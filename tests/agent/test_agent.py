"""An agent and its runs, from end to end, with a server that keeps to the protocol."""

from __future__ import annotations

import sys

import pytest

import luthier
from luthier.agent.entry import agent
from tests.agent.protocol import SWEEP, Protocol


@pytest.fixture
def serve(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    opened = []

    def serve(*command, **sweep):
        protocol = Protocol(list(command), **sweep)
        opened.append(protocol)
        monkeypatch.setenv("LUTHIER_SERVER", protocol.url)
        return protocol

    yield serve
    for protocol in opened:
        protocol.close()


def test_a_command_runs_and_is_told(serve):
    server = serve(sys.executable, "-c", "import sys; print(sys.argv[1:]); print('oh', file=sys.stderr)", "${args}")
    known = server.add("r1", params={"lr": 0.5})
    ended = agent(SWEEP)
    assert known.outcome == "finished" and known.exits[0]["code"] == 0 and known.started
    assert sorted(known.lines) == ["['--lr=0.5']", "oh"]
    assert ended.code == 0 and ended.counts == {"finished": 1} and ended.reason == "the sweep is finished"
    assert server.left


def test_a_program_logs_rows(serve, tmp_path):
    (tmp_path / "train.py").write_text(
        "import luthier\n"
        "run = luthier.init({'lr': 9, 'depth': 3})\n"
        "for i in range(5): luthier.log({'loss': run.config.lr * i, 'depth': run.config['depth']})\n"
        "run.summary['best'] = float('nan')\n"
    )
    server = serve(sys.executable, "train.py")
    known = server.add("r1", params={"lr": 0.5})
    agent(SWEEP)
    assert known.outcome == "finished", known.exits
    assert known.rows == [{"loss": 0.5 * i, "depth": 3} for i in range(5)]
    assert known.summary == {"best": {"$": "float", "v": "nan"}}


def test_a_function_runs(serve):
    server = serve("nothing")
    runs = [server.add(f"r{i}", params={"x": i}) for i in range(3)]

    def train(config):
        luthier.log({"loss": config["x"] + 0.5})
        return config["x"]

    ended = agent(SWEEP, train)
    assert [known.rows for known in runs] == [[{"loss": i + 0.5}, {"loss": i}] for i in range(3)], runs[0].exits
    assert ended.counts == {"finished": 3}
