from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any

from luthier.core import events as ev
from luthier.core.limits import Limits
from luthier.core.terms import Outcome, Status
from luthier.execution.ray.executor import RayExecutor
from luthier.testing.isolation import gone
from luthier.testing.rig import Rig
from luthier.testing.trainables import resuming
from luthier.worker.session import report

if TYPE_CHECKING:
    from pathlib import Path

    from luthier.core.terms import Config


def add_node(cluster: Any) -> Any:
    return cluster.add_node(num_cpus=1, resources={"extra": 1.0}, object_store_memory=80 << 20)


def test_nodes_come_and_go_while_trials_run(cluster: Any, tmp_path: Path):
    def slowly(config: Config) -> None:
        resuming({"n": 2})
        while not (tmp_path / "enough").exists():
            time.sleep(0.05)

    executor = RayExecutor(slowly, experiment_dir=tmp_path)
    rig = Rig(executor, tmp_path, limits=Limits(elastic=True), request={"cpu": 1.0, "extra": 1.0})
    nodes: list[Any] = []

    def each_round() -> None:
        if not nodes:  # there was none that the trial fits on
            assert not rig.of(0, ev.Launched)
            nodes.append(add_node(cluster))
        elif len(nodes) == 1 and len(rig.reports()) == 2:
            cluster.remove_node(nodes[0], allow_graceful=False)
            nodes.append(add_node(cluster))
            (tmp_path / "enough").touch()

    try:
        rig.run(each_round=each_round)
    finally:
        cluster.remove_node(nodes[-1])
    joined = [e.worker for e in rig.log if isinstance(e, ev.WorkerJoined)]
    lost = [e.worker for e in rig.log if isinstance(e, ev.WorkerLost)]
    assert len(joined) == 3
    assert lost == joined[1:2]
    assert [e.worker for e in rig.of(0, ev.Launched)] == joined[1:]
    assert [e.outcome for e in rig.of(0, ev.Exited)] == [Outcome.LOST, Outcome.FINISHED]
    assert rig.trial(0).status is Status.DONE and rig.trial(0).failures == 0
    assert [m["count"] for m in rig.reports()] == [1, 2]  # nothing twice: it went on from its checkpoint


def test_an_actor_that_is_killed_is_started_again(cluster: Any, tmp_path: Path):
    def trainable(config: Config) -> None:
        report({"pid_was": os.getpid()})
        if not (tmp_path / "enough").exists():
            time.sleep(3600)

    executor = RayExecutor(trainable, experiment_dir=tmp_path)
    rig = Rig(executor, tmp_path, limits=Limits(max_failures=1))

    def kill() -> None:
        if len(rig.reports()) == 1 and not (tmp_path / "enough").exists():
            (tmp_path / "enough").touch()
            os.kill(rig.reports()[0]["pid_was"], signal.SIGKILL)

    rig.run(each_round=kill)
    assert [e.outcome for e in rig.of(0, ev.Exited)] == [Outcome.ERROR, Outcome.FINISHED]
    assert "SIGKILL" in rig.of(0, ev.Exited)[0].error


DRIVER = """
    import sys, time
    from luthier import tune

    def train(config):
        for i in range(2):
            tune.report({"i": i, "pid_was": __import__("os").getpid()})
        import pathlib
        while not pathlib.Path(sys.argv[2], "enough").exists():
            time.sleep(0.05)

    folder, *rest = sys.argv[2:]
    if rest:
        tuner = tune.Tuner.restore(folder + "/killed", train)
    else:
        tuner = tune.Tuner(train, run_config=tune.RunConfig(
            name="killed", storage_path=folder, executor="ray", executor_options={"address": sys.argv[1]}, verbose=0))
    print([r.metrics["i"] for r in tuner.fit()])
"""


def test_a_driver_may_die(cluster: Any, tmp_path: Path):
    script = tmp_path / "driver.py"
    script.write_text(textwrap.dedent(DRIVER))
    command = [sys.executable, str(script), cluster.address, str(tmp_path)]
    driver = subprocess.Popen(command)
    try:
        until = time.monotonic() + 60
        while not (seen := list(tmp_path.glob("killed/*/result.json"))) or seen[0].read_text().count("\n") < 2:
            assert time.monotonic() < until and driver.poll() is None
            time.sleep(0.1)
    finally:
        driver.kill()
        driver.wait()
    import json

    assert gone(json.loads(seen[0].read_text().splitlines()[0])["pid_was"], within=20.0)  # no actor outlives its driver
    (tmp_path / "enough").touch()
    second = subprocess.run([*command, "again"], check=True, capture_output=True, text=True, timeout=60)
    assert second.stdout.strip() == "[1]"
