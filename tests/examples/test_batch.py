"""Agents as jobs of a batch scheduler, which is played: its environment, its signals, its programs.

No Slurm is there. `srun` and `scontrol` are scripts of a line each; the signals are those of Slurm's manual: preemption
is SIGTERM to all processes of the step, the end of the time is SIGUSR1 to the batch script alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from luthier.sweeps.client import Client

BATCH = Path(__file__).parents[2] / "examples" / "batch"
RUNS = 6


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/bash\n{text}\n", "utf-8")
    path.chmod(0o755)


@pytest.fixture
def site(tmp_path):
    """Return the environment of a cluster's user: a server that asks for keys, and a scheduler's programs."""
    flags = ["--database-url", f"sqlite:///{tmp_path}/server.db", "--files", str(tmp_path / "files")]
    luthier = [sys.executable, "-m", "luthier"]
    made = subprocess.run(
        [*luthier, "server", "key", "add", "cluster", *flags], capture_output=True, text=True, check=True, timeout=60
    )
    (tmp_path / "key").write_text(made.stdout)
    (tmp_path / "key").chmod(0o600)
    programs = tmp_path / "bin"
    programs.mkdir()
    program(programs / "luthier", f'exec {sys.executable} -m luthier "$@"')
    program(programs / "srun", 'shift; exec "$@"')
    program(programs / "scontrol", f'echo "$@" >> {tmp_path}/scontrol.txt')
    ready = tmp_path / "ready.json"
    server = subprocess.Popen(
        [*luthier, "server", "--port", "0", *flags, "--ready-file", str(ready)], stdout=subprocess.DEVNULL
    )
    try:
        while not ready.exists():
            assert server.poll() is None, "the server did not start"
            time.sleep(0.02)
        own = {"LUTHIER_SERVER": json.loads(ready.read_text())["url"], "LUTHIER_KEY_FILE": str(tmp_path / "key")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "LUTHIER"))}
        yield {**kept, **own, "PATH": f"{programs}:{os.environ['PATH']}"}
    finally:
        server.terminate()
        server.wait(20)


class Jobs:
    """An array of jobs, as Slurm would start them."""

    def __init__(self, environ: dict[str, str], sweep: str, folder: Path) -> None:
        self.environ, self.sweep, self.folder = environ, sweep, folder
        self.all: list[subprocess.Popen[bytes]] = []

    def start(self, task: int) -> subprocess.Popen[bytes]:
        own = {
            "SLURM_ARRAY_JOB_ID": "4711", "SLURM_ARRAY_TASK_ID": str(task), "SLURM_JOB_ID": str(4711 + task),
            "SLURM_SUBMIT_DIR": str(BATCH),
        }  # fmt: skip
        command = ["bash", str(BATCH / "agents.sbatch"), self.sweep, "--workdir", str(self.folder)]
        with (self.folder / f"luthier-4711_{task}.out").open("ab") as out:
            job = subprocess.Popen(command, env={**self.environ, **own}, cwd=self.folder, stdout=out, stderr=out)
        self.all.append(job)
        return job

    def preempt(self, job: subprocess.Popen[bytes]) -> None:
        """Signal all processes of the step, the program of the run among them; not the batch script."""
        for process in reversed(psutil.Process(job.pid).children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGTERM)


def at_work(client: Client, sweep: str, agent: str) -> str:
    """Wait until *agent* has a run that has saved a checkpoint; return the run."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        ids = {row["id"] for row in client.call("GET", f"/sweeps/{sweep}/agents") if row["name"] == agent}
        for row in client.runs(sweep)["rows"]:
            if row["agent_id"] in ids and row["state"] == "running" and 3 <= row["rows"] <= 12:
                return str(row["id"])
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def test_jobs_that_are_preempted_or_out_of_time_give_back_and_others_go_on(site, tmp_path):
    key = (tmp_path / "key").read_text().strip()
    (tmp_path / "train.py").write_text((BATCH / "train.py").read_text("utf-8"), "utf-8")
    with Client(site["LUTHIER_SERVER"], key) as client:
        sweep = client.create_sweep((BATCH / "sweep.yaml").read_text("utf-8"))["sweep"]
        jobs = Jobs(site, sweep, tmp_path)
        try:
            first, second, _ = (jobs.start(task) for task in (1, 2, 3))
            preempted = at_work(client, sweep, "4711_1")
            words = [
                psutil.Process(child.pid).cmdline() for child in psutil.Process(first.pid).children(recursive=True)
            ]
            assert len(words) >= 3 and not any(key in word for line in words for word in line)
            jobs.preempt(first)
            assert first.wait(30) == 143
            late = at_work(client, sweep, "4711_2")
            second.send_signal(signal.SIGUSR1)
            assert second.wait(30) == 143
            assert (tmp_path / "scontrol.txt").read_text() == "requeue 4713\n", "and Slurm itself requeues the first"
            jobs.start(2)
            assert [job.wait(60) for job in jobs.all[2:]] == [0, 0], "the sweep is over, and so are the jobs"
        finally:
            for job in jobs.all:
                jobs.preempt(job) if job.poll() is None else None
        found = client.sweep(sweep)
        assert (found["state"], found["counts"]) == ("FINISHED", {"finished": RUNS})
        for row in client.runs(sweep)["rows"]:
            epochs = [point["epoch"] for point in client.history(row["id"])]
            assert sorted(set(epochs)) == list(range(1, 21)) and epochs[-1] == 20
            (begun, *_) = client.output(row["id"])["items"]
            went_on = row["id"] in {preempted, late}
            assert (row["attempt"] > 1, begun["text"] != "begins after 0 epochs") == (went_on, went_on), begun


def test_agents_without_a_scheduler_leave_together(site, tmp_path):
    (tmp_path / "train.py").write_text((BATCH / "train.py").read_text("utf-8"), "utf-8")
    with Client(site["LUTHIER_SERVER"], (tmp_path / "key").read_text().strip()) as client:
        sweep = client.create_sweep((BATCH / "sweep.yaml").read_text("utf-8"))["sweep"]
        own = {**site, "PBS_JOBID": "12.head"}
        job = subprocess.Popen(["bash", str(BATCH / "agents.sh"), "2", sweep], env=own, cwd=tmp_path)
        try:
            at_work(client, sweep, "12.head-1")
            at_work(client, sweep, "12.head-2")
            job.terminate()
            assert job.wait(30) == 143
        finally:
            job.kill()
        found = client.sweep(sweep)
        assert found["state"] == "RUNNING" and "running" not in found["counts"] and "failed" not in found["counts"]


def test_a_job_has_locks_of_its_own_for_its_gpus(site, tmp_path):
    program(tmp_path / "bin" / "luthier", 'echo "${XDG_RUNTIME_DIR-none}" "$@"')

    def locks(**own):
        return subprocess.run(
            ["bash", str(BATCH / "agent.sh"), "s"], env={**site, "JOB_ID": "7", **own}, capture_output=True, text=True,
            check=True, timeout=20,
        ).stdout.split()  # fmt: skip

    site.pop("XDG_RUNTIME_DIR", None)
    site.pop("CUDA_VISIBLE_DEVICES", None)
    site["TMPDIR"] = str(tmp_path)
    assert locks() == ["none", "agent", "s", "--name", "7", "--grace", "30"]
    (one, *_), (other, *_) = locks(CUDA_VISIBLE_DEVICES="0"), locks(CUDA_VISIBLE_DEVICES="0")
    assert one != other and Path(one).parent == tmp_path
