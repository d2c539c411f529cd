"""An agent and its runs, from end to end, with a server that keeps to the protocol."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import threading
import time
import zipfile
from io import BytesIO

import pytest

import luthier
from luthier import tune
from luthier.agent.entry import agent
from luthier.core.errors import BadArgument, ServerAway, ServerError
from tests.agent.protocol import SWEEP


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def gone(pid: int) -> bool:
    """Whether a process has ended, or at least will never do anything again."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return True


def in_background(*args, **named):
    """Start an agent in a thread; return the thread, and a list that its end comes into."""
    ends: list[object] = []
    thread = threading.Thread(target=lambda: ends.append(agent(*args, **named)), daemon=True)
    thread.start()
    return thread, ends


# -- what runs ---------------------------------------------------------------------------------------------------------
def test_a_command_runs_and_is_told(serve):
    server = serve(*python("import sys; print(sys.argv[1:]); print('oh', file=sys.stderr)"), "${args}")
    known = server.add("r1", params={"lr": 0.5})
    ended = agent(SWEEP)
    assert known.outcome == "finished" and known.exits[0]["code"] == 0 and known.started
    assert sorted(known.lines) == ["['--lr=0.5']", "oh"]
    assert ended.code == 0 and ended.counts == {"finished": 1} and ended.reason == "the sweep is finished"
    assert not os.path.exists("luthier_runs"), "nothing of Luthier's own is left"


def test_a_program_logs_rows(serve, tmp_path):
    (tmp_path / "train.py").write_text(
        "import luthier\n"
        "run = luthier.init({'lr': 9, 'depth': 3})\n"
        "for i in range(5): luthier.log({'loss': run.config.lr * i, 'depth': run.config['depth']})\n"
        "run.summary['best'] = float('nan')\n"
        "open(run.dir + '/kept.txt', 'w').close()\n"
        "assert run.id == 'r1' and run.sweep == 'fm923t32'\n"
    )
    server = serve(sys.executable, "train.py")
    known = server.add("r1", params={"lr": 0.5})
    agent(SWEEP)
    assert known.outcome == "finished", known.exits
    assert known.rows == [{"loss": 0.5 * i, "depth": 3} for i in range(5)]
    assert known.summary == {"best": {"$": "float", "v": "nan"}}
    assert os.listdir("luthier_runs/fm923t32/r1-1") == ["kept.txt"]


def test_a_function_runs_and_its_result_counts(serve):
    server = serve("nothing")
    runs = [server.add(f"r{i}", params={"x": i}) for i in range(3)]

    def train(config):
        tune.report({"loss": config["x"] + 0.5})
        return config["x"]

    ended = luthier.agent(SWEEP, function=train)  # the package can be called
    assert [known.rows for known in runs] == [[{"loss": i + 0.5}, {"loss": i}] for i in range(3)], runs[0].exits
    assert ended.counts == {"finished": 3}


def test_a_function_without_arguments_asks_for_the_config(serve):
    server = serve("nothing")
    known = server.add("r1", params={"x": 4})

    def train():
        with luthier.init() as run:
            run.log({"loss": run.config.x})

    agent(SWEEP, train)
    assert known.rows == [{"loss": 4}], known.exits


def test_a_functions_own_traceback_comes_first(serve):
    server = serve("nothing")
    known = server.add("r1")

    def train(config):
        raise ValueError("no such layer")

    ended = agent(SWEEP, train)
    lines = known.exits[0]["error"].splitlines()
    assert known.outcome == "failed" and known.exits[0]["code"] == 1 and ended.counts == {"failed": 1}
    assert lines[0].startswith("Traceback") and lines[-2:] == ["ValueError: no such layer", "(exit code 1)"]
    assert not any("luthier/agent" in text for text in lines)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (python("import sys; print('why', file=sys.stderr); sys.exit(3)"), ["why", "exit code 3"]),
        (python("print('only here'); raise SystemExit(4)"), ["only here", "exit code 4"]),
        (python("import os; os.kill(os.getpid(), 11)"), ["SIGSEGV"]),
        (["no-such-program"], ["no-such-program cannot be run", "127"]),
        (["${program}"], ["program"]),
    ],
)
def test_what_went_wrong_is_told(serve, command, words):
    server = serve(*command)
    known = server.add("r1")
    agent(SWEEP, quiet=True)
    assert known.outcome == "failed"
    assert all(word in known.exits[0]["error"] for word in words), known.exits


def test_lines_of_metrics_are_rows_where_the_sweep_says_so(serve):
    server = serve(*python("print('loss=0.5, acc=1e-1'); print('loss is 3'); print('loss=nan')"), output_metrics=True)
    known = server.add("r1")
    agent(SWEEP)
    assert known.rows == [{"loss": 0.5, "acc": 0.1}, {"loss": {"$": "float", "v": "nan"}}]


def test_what_a_program_sees(serve, monkeypatch):
    code = (
        "import os, sys\nassert sys.stdin.read() == ''\n"
        "print(os.environ['A'], os.environ['OMP_NUM_THREADS'], os.environ.get('LUTHIER_RESTORE'))\n"
        "print(os.environ['LUTHIER_ATTEMPT'], open(os.environ['LUTHIER_PARAMS']).read().split())"
    )
    server = serve(*python(code), environment={"A": "b"})
    known = server.add("r1", attempt=2, params={"x": 1}, resources={"slot": 1, "cpu": 2})
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    agent(SWEEP)
    assert known.lines == ["b 2 None", "2 ['{', '\"x\":', '1', '}']"], known.exits


# -- how many ----------------------------------------------------------------------------------------------------------
def test_count_is_kept(serve):
    server = serve(*python("pass"))
    runs = [server.add(f"r{i}") for i in range(3)]
    ended = agent(SWEEP, count=2)
    assert [known.outcome for known in runs] == ["finished", "finished", ""]
    assert ended.counts == {"finished": 2} and "2 runs" in ended.reason


def test_runs_are_at_work_side_by_side(serve, tmp_path):
    code = (
        "import os, sys, time\nopen(sys.argv[1], 'w').close()\n"
        "while len([n for n in os.listdir() if n.startswith('--')]) < 3: time.sleep(0.01)"
    )
    server = serve(*python(code), "${args}")
    runs = [server.add(f"r{i}") for i in range(3)]
    agent(SWEEP, concurrency=3)
    assert [known.outcome for known in runs] == ["finished"] * 3
    assert server.agents["a0"]["resources"]["slot"] == 3


def test_a_gpu_is_free_again_after_a_run(serve):
    server = serve(*python("import os, time; time.sleep(0.2); print(os.environ['CUDA_VISIBLE_DEVICES'])"))
    runs = [server.add(f"r{i}", resources={"slot": 1, "gpu": 1}) for i in range(3)]
    agent(SWEEP, gpus="5", concurrency=2)
    assert [known.lines[-1] for known in runs] == ["5"] * 3
    assert any("waits for a free GPU (gpu=1)" in known.lines[0] for known in runs)
    assert server.agents["a0"]["resources"]["gpu"] == 1


def test_a_gpu_that_is_not_there_fails_the_run(serve):
    server = serve(*python("pass"))
    known = server.add("r1", resources={"slot": 1, "gpu": 2})
    agent(SWEEP, gpus="0", quiet=True)
    assert known.outcome == "failed" and "gpu=2" in known.exits[0]["error"]


# -- ends --------------------------------------------------------------------------------------------------------------
def test_a_halt_ends_the_program_at_its_next_log(serve):
    server = serve("nothing")
    known = server.add("r1")

    def train(config):
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            for step in range(10_000):
                luthier.log({"step": step})
                time.sleep(0.01)
        finally:
            print("cleared up")

    thread, ends = in_background(SWEEP, train)
    server.until(lambda: len(known.rows) > 2)
    server.halt("r1")
    thread.join(15)
    assert ends and known.outcome == "halted" and known.exits[0]["error"] == ""
    assert known.lines == ["cleared up"]


def test_a_halt_runs_finally_blocks_of_a_program_that_is_silent(serve):
    server = serve(*python("import luthier, time\nluthier.log({})\ntry: time.sleep(60)\nfinally: print('bye')"))
    known = server.add("r1")
    thread, _ = in_background(SWEEP)
    server.until(lambda: known.rows)
    server.halt("r1")
    thread.join(15)
    assert known.outcome == "halted" and known.lines == ["bye"]


def test_who_does_not_listen_is_killed_with_all_that_it_started(serve, tmp_path):
    code = (
        "import os, signal, subprocess, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "a = subprocess.Popen(['sleep', '60'])\nb = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "print(os.getpid(), a.pid, b.pid)\ntime.sleep(60)"
    )
    server = serve(*python(code))
    known = server.add("r1")
    thread, _ = in_background(SWEEP, grace_s=0.2)
    server.until(lambda: known.lines)
    server.halt("r1")
    thread.join(15)
    assert known.outcome == "halted"
    assert all(gone(int(pid)) for pid in known.lines[0].split())


def test_what_a_program_leaves_behind_ends_with_it(serve):
    code = "import subprocess; print(subprocess.Popen(['sleep', '60'], start_new_session=True).pid)"
    server = serve(*python(code))
    known = server.add("r1")
    agent(SWEEP)
    assert known.outcome == "finished" and gone(int(known.lines[0]))


def test_a_run_that_is_not_the_agents_any_more_is_ended(serve):
    server = serve("sleep", "60")
    known = server.add("r1")
    thread, ends = in_background(SWEEP)
    server.until(lambda: known.started)
    with server.bell:
        del server.runs["r1"]
    thread.join(15)
    assert ends[0].counts == {"halted": 1}


def test_a_sweep_that_is_gone_ends_its_agents(serve):
    server = serve("sleep", "60")
    known = server.add("r1")
    thread, ends = in_background(SWEEP)
    server.until(lambda: known.started)
    with server.bell:
        server.agents.clear()
    thread.join(15)
    assert ends[0].code == 1 and "404" in ends[0].reason and ends[0].counts == {"left": 1}


# -- the way to the server ---------------------------------------------------------------------------------------------
def test_an_outage_costs_nothing(serve):
    code = "import luthier, time\nfor i in range(40): luthier.log({'i': i}); print(i); time.sleep(0.02)"
    server = serve(*python(code))
    known = server.add("r1")
    thread, ends = in_background(SWEEP)
    server.until(lambda: len(known.rows) > 3)
    server.close()
    heard = len(known.rows)
    time.sleep(1.2)  # it ends meanwhile
    assert len(known.rows) == heard
    server.open()
    thread.join(20)
    assert ends[0].counts == {"finished": 1} and known.outcome == "finished"
    assert known.rows == [{"i": i} for i in range(40)] and known.lines == [str(i) for i in range(40)]
    assert known.started == 1 and len(known.exits) == 1


def test_what_was_not_answered_is_said_again(serve):
    server = serve(*python("import luthier\nfor i in range(30): luthier.log({'i': i}); print(i)"))
    server.deaf = 3
    known = server.add("r1")
    agent(SWEEP, quiet=True)
    assert known.rows == [{"i": i} for i in range(30)] and known.lines == [str(i) for i in range(30)]
    assert known.started == 1 and known.outcome == "finished"


def test_an_order_that_comes_again_is_carried_out_once(serve):
    server = serve(*python("open('log', 'a').write('x'); import time; time.sleep(0.5)"))
    server.insists = True
    known = server.add("r1")
    agent(SWEEP)
    with open("log", encoding="utf-8") as file:
        assert file.read() == "x"
    assert known.outcome == "finished" and len(known.exits) == known.started == 1


def test_what_was_not_taken_is_said_again(serve):
    server = serve(*python("import luthier\nfor i in range(30): luthier.log({'i': i}); print(i)"))
    server.accept = 1
    known = server.add("r1")
    agent(SWEEP)
    assert known.rows == [{"i": i} for i in range(30)] and known.outcome == "finished"
    assert max(len(exchange["said"]) for exchange in server.exchanges) > 1


def test_messages_become_smaller_where_the_server_takes_no_large_ones(serve):
    server = serve(*python("import luthier\nfor i in range(300): luthier.log({'text': 'x' * 900, 'i': i})"))
    server.largest = 40_000
    known = server.add("r1")
    agent(SWEEP, quiet=True)
    assert [row["i"] for row in known.rows] == list(range(300)) and known.outcome == "finished"


def test_what_the_server_cannot_read_does_not_hold_the_rest_up(serve, capsys):
    code = (
        "import luthier\nwith luthier.init() as run:\n"
        "    for i in range(3): run.log({'i': i}); run.summary['poison'] = i; print(i)"
    )
    server = serve(*python(code))
    known = server.add("r1")
    agent(SWEEP)
    assert known.rows == [{"i": i} for i in range(3)] and known.lines == ["0", "1", "2"]
    assert known.outcome == "finished" and known.summary == {}
    assert "does not take summary of run r1" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["gone", "silent"])
def test_before_its_lease_is_over_an_agent_ends_its_runs(serve, how):
    server = serve(*python("import os, time; print(os.getpid()); time.sleep(60)"))
    known = server.add("r1")
    thread, ends = in_background(SWEEP, lease_s=2.0, quiet=True)
    server.until(lambda: known.lines)
    began = time.monotonic()
    if how == "gone":
        server.close()
    else:
        server.silent.set()
    pid = int(known.lines[0])
    while not gone(pid):
        assert time.monotonic() - began < 2.5
        time.sleep(0.01)
    assert time.monotonic() - began > 0.8
    with server.bell:
        server.runs["r1"].state = "lost"
    if how == "gone":
        server.open()
    server.silent.clear()
    thread.join(15)
    assert ends[0].counts == {"left": 1} and known.outcome == "left"


def test_an_agent_that_has_nothing_waits_at_the_server(serve):
    server = serve(*python("pass"))
    server.exit_when_done = False
    thread, _ = in_background(SWEEP, count=2)
    server.until(lambda: server.agents)
    time.sleep(0.5)
    asked = len(server.exchanges)
    assert asked <= 2
    first = server.add("r1")
    server.until(lambda: first.outcome)
    second = server.add("r2")
    thread.join(15)
    assert second.outcome == "finished"


def test_a_server_that_refuses_the_key(serve):
    server = serve("sleep", "60")
    known = server.add("r1")
    thread, ends = in_background(SWEEP, quiet=True)
    server.until(lambda: known.started)
    server.refuse = (401, "the key was revoked")
    thread.join(15)
    assert ends[0].code == 1 and "revoked" in ends[0].reason and ends[0].counts == {"left": 1}
    with pytest.raises(ServerError, match="revoked"):
        agent(SWEEP)


def test_no_server_at_all(serve, monkeypatch):
    server = serve("nothing")
    server.close()
    monkeypatch.setattr("luthier.sweeps.client._BACKOFF.__class__.delay", lambda *_: 11.0)
    with pytest.raises(ServerAway, match=r"does not answer .* luthier server"):
        agent(SWEEP)


# -- output ------------------------------------------------------------------------------------------------------------
def test_a_flood_of_output_is_cut(serve):
    code = (
        "import sys\nline = 'x' * 99 + '\\n'\nprint('first')\n"
        "for _ in range(200): sys.stdout.write(line * 1000)\nprint('last')"
    )
    server = serve(*python(code))
    known = server.add("r1")
    agent(SWEEP)
    assert known.outcome == "finished" and known.lines[0] == "first" and known.lines[-1] == "last"
    note = next(text for text in known.lines if text.startswith("[luthier"))
    assert "were dropped" in note and sum(map(len, known.lines)) < 3 << 20
    dropped = int(note.split()[1])
    assert dropped + len(known.lines) - 1 == 200_002


# -- checkpoints -------------------------------------------------------------------------------------------------------
def test_a_checkpoint_travels_and_comes_back(serve, tmp_path):
    server = serve("nothing")
    known = server.add("r1")

    def train(config):
        import pathlib

        run = luthier.init()
        step = 0
        if run.restored:
            step = int((pathlib.Path(run.restored) / "deep" / "step").read_text())
        folder = pathlib.Path(run.dir) / "ckpt" / "deep"
        folder.mkdir(parents=True)
        for now in range(step + 1, step + 3):
            (folder / "step").write_text(str(now))
            run.log({"now": now}, checkpoint=folder.parent)
        run.log({"now": -1})

    agent(SWEEP, train)
    assert known.outcome == "finished", known.exits
    assert known.rows == [
        {"now": 1, "_checkpoint": "checkpoints/1-000001.zip"},
        {"now": 2, "_checkpoint": "checkpoints/1-000002.zip"},
        {"now": -1},
    ]
    parcel = zipfile.ZipFile(BytesIO(server.files["runs/r1/files/checkpoints/1-000002.zip"]))
    assert parcel.read("deep/step") == b"2"
    again = server.add("r2", attempt=3, restore="checkpoints/1-000002.zip", restore_run="r1")
    agent(SWEEP, train)
    assert again.rows[0] == {"now": 3, "_checkpoint": "checkpoints/3-000001.zip"}, again.exits


def test_a_checkpoint_that_cannot_be_uploaded_does_not_hold_the_rest_up(serve):
    server = serve("nothing")
    known = server.add("r1")

    def train(config):
        import tempfile

        luthier.log({"loss": 1}, checkpoint=tempfile.mkdtemp())
        luthier.log({"loss": 2})

    server.refuse_files = (413, "too large")
    agent(SWEEP, train)
    assert known.rows == [{"loss": 1}, {"loss": 2}] and known.outcome == "finished"
    assert any("could not be uploaded" in text and "too large" in text for text in known.lines)


def test_a_checkpoint_that_is_gone_fails_the_run(serve):
    server = serve("nothing")
    known = server.add("r1", restore="checkpoints/1-000001.zip")
    agent(SWEEP, lambda: None)
    assert known.outcome == "failed" and "404" in known.exits[0]["error"] and known.exits[0]["code"] is None


# -- arguments ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "named",
    [{"count": 0}, {"concurrency": True}, {"function": 3}, {"gpus": "all"}, {"workdir": "not/there"}, {"lease_s": -1}],
)
def test_arguments_are_checked(serve, named):
    serve("nothing")
    with pytest.raises(BadArgument, match=next(iter(named))):
        agent(SWEEP, **named)


def test_a_sweep_that_is_not_there(serve):
    serve("nothing")
    with pytest.raises(ServerError, match="404"):
        agent("nosweep1")
    assert not os.path.exists("luthier_runs")


def test_at_the_end_it_tells_what_came_of_the_sweep(serve, capsys):
    server = serve(*python("pass"))
    server.add("r1")
    server.sweep["name"] = SWEEP
    known = {"id": SWEEP, "name": SWEEP, "metric": "loss", "counts": {"finished": 3, "failed": 1}, "best_value": 0.25}
    known |= {"best_run": {"id": "x_00001", "name": "run-2"}, "best_config": {"lr": 0.1}}
    server.files[f"sweeps/{SWEEP}"] = json.dumps(known).encode()
    assert agent(SWEEP).code == 0
    first, *_, counts, best = [line[9:] for line in capsys.readouterr().err.splitlines()]
    assert first == f"sweep {SWEEP} at {server.url}: RUNNING"
    assert counts == f"sweep {SWEEP} has 1 failed, 3 finished: {server.url}/sweeps/{SWEEP}"
    assert best == "best so far: run-2, loss=0.25 with lr=0.1"
    server.files[f"sweeps/{SWEEP}"] = json.dumps({**known, "metric": "los", "best_run": None}).encode()
    server.add("r2")
    assert agent(SWEEP, quiet=True).code == 0
    assert "no run has reported los, the metric of the sweep" in capsys.readouterr().err, "and that is no small thing"


# -- what is not as it should be ---------------------------------------------------------------------------------------
NONSENSE = [
    (200, {}, b"{}"),
    (200, {}, b"[1]"),
    (200, {}, b"<html>hello</html>"),
    (200, {}, b""),
    (200, {}, b"[" * 100_000),
    (200, {}, b'{"orders": 7, "accepted": 0}'),
    (200, {}, b'{"orders": ["halt"], "accepted": 0}'),
    (200, {}, b'{"orders": [{"is": "run", "run": 7, "attempt": "x"}], "accepted": 0}'),
    (200, {}, b'{"orders": [{"is": "sing"}], "accepted": 0}'),
    (200, {}, b'{"orders": [], "accepted": "many"}'),
    (200, {}, b'{"orders": [], "accepted": -3, "heartbeat_s": "often"}'),
    (200, {"Content-Encoding": "gzip"}, b"that is no gzip"),
    (200, {"Content-Length": "1000"}, b"{"),
    (302, {"Location": "http://evil.example/"}, b""),
    (500, {}, b"oh"),
    (418, {}, b'{"detail": ["a", {"b": null}]}'),
]


@pytest.mark.parametrize("place", [0, 2])
def test_a_server_that_talks_nonsense_ends_no_agent_and_loses_nothing(serve, monkeypatch, place):
    from luthier.agent import courier
    from luthier.store.backoff import Backoff

    monkeypatch.setattr(courier, "_BACKOFF", Backoff(first=0.01, longest=0.01, jitter=0.0))
    server = serve(*python("import luthier\nfor i in range(3): luthier.log({'i': i})"))
    server.heartbeat_s = 0.01
    known = server.add("r1")
    if place == 0:
        server.nonsense += NONSENSE
    else:
        known.order["params"] = {"x": 1}
        threading.Thread(
            target=lambda: (server.until(lambda: known.state == "running"), server.nonsense.extend(NONSENSE)),
            daemon=True,
        ).start()
    ended = agent(SWEEP)
    assert ended.counts == {"finished": 1} and known.outcome == "finished"
    assert [row["i"] for row in known.rows] == [0, 1, 2]


@pytest.mark.parametrize(
    "answer", [{}, {"agent": "a"}, {"agent": "a", "sweep": 7}, {"agent": "a", "sweep": {}, "lease_s": "x"}]
)
def test_a_registration_that_makes_no_sense_is_one_error(serve, monkeypatch, answer):
    server = serve("true")
    monkeypatch.setattr(server, "register", lambda _about: answer)
    with pytest.raises(ServerError, match="makes no sense"):
        agent(SWEEP)
    assert not os.path.exists("luthier_runs")


def test_a_program_that_puts_a_file_where_its_directory_was_fails_alone(serve):
    spoil = (
        "import os, shutil, luthier\n"
        "place = os.path.dirname(luthier.init().dir)\n"
        "shutil.rmtree(place); open(place, 'w').close()\n"
        "luthier.log({'loss': 1})\n"
    )
    server = serve(*python(spoil))
    first, second = server.add("r1"), server.add("r2")
    ended = agent(SWEEP)
    assert first.outcome == "finished" and first.rows == [{"loss": 1}]
    assert second.outcome == "failed" and "NotADirectoryError" in second.exits[0]["error"]
    assert ended.counts == {"finished": 1, "failed": 1}


def test_odd_values_arrive_or_are_refused_one_by_one(serve, tmp_path):
    code = """
        import math, os, threading
        import luthier, numpy as np
        from luthier.core.errors import LuthierError
        refused = []
        def log(row):
            try:
                luthier.log(row)
            except LuthierError as error:
                refused.append(str(error))
        log({"nan": math.nan, "inf": -math.inf, "huge": 10**400})
        log({"np": np.float32(1.5), "int": np.int64(3), "bool": np.bool_(True)})
        log({"object": object(), "bytes": b"\\xff", "set": {1}})
        log({"new\\nline": 1, "": 2, 5: 3, "nul\\x00": "\\x00", "\\ud800": "\\udfff"})
        deep = 1
        for _ in range(5000):
            deep = [deep]
        log({"deep": deep})
        log({"large": "x" * 1_000_000})
        log({"larger": "x" * 2_000_000})
        log({"_checkpoint": "mine"})
        def many(name):
            for i in range(20):
                log({name: i})
        threads = [threading.Thread(target=many, args=(f"t{i}",)) for i in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        for i in range(3):
            if os.fork() == 0:
                many(f"f{i}")
                os._exit(0)
        for i in range(3): os.wait()
        print(len(refused))
    """
    (tmp_path / "odd.py").write_text(textwrap.dedent(code))
    server = serve(sys.executable, str(tmp_path / "odd.py"))
    known = server.add("r1")
    agent(SWEEP)
    assert known.outcome == "finished" and "3" in known.lines
    assert known.rows[1] == {"np": 1.5, "int": 3, "bool": True}
    assert len(known.rows[4]["large"]) == 1_000_000
    for name in [*(f"t{i}" for i in range(8)), *(f"f{i}" for i in range(3))]:
        assert [row[name] for row in known.rows if name in row] == list(range(20))
