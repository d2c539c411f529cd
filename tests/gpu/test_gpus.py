"""On the GPUs of this machine (make gpu): who sees which of them, and that the next one finds the memory free."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from luthier.core.terms import Outcome
from luthier.execution.devices import gpu_ids, machine_resources
from tests.execution.test_process_ends import ONE_BY_ONE
from tests.gpu.cuda import NO_DEVICE, Driver, Failed

MOST = 0.6  # of a GPU's memory: what two cannot have at once


@pytest.fixture(scope="module")
def names():
    """The UUIDs of the GPUs, in the order of their numbers."""
    asked = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout.split()


@pytest.fixture
def all_visible(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # as nvidia-smi counts


def test_they_are_found(names, all_visible):
    assert names and gpu_ids() == [str(number) for number in range(len(names))]
    assert machine_resources()["gpu"] == len(names)


def test_a_trial_sees_the_one_that_it_was_given_and_no_other(run, names, all_visible):
    def trainable(config):
        driver = Driver()
        return {"visible": os.environ["CUDA_VISIBLE_DEVICES"], "count": driver.count, "name": driver.name}

    rig = run(
        trainable, [{}] * (len(names) + 1), resources={"cpu": 64.0, "gpu": float(len(names))},
        request={"cpu": 0.1, "gpu": 1.0},
    )  # fmt: skip
    for number in range(len(names) + 1):
        (seen,) = rig.reports(number)
        assert seen["count"] == 1 and seen["name"] == names[int(seen["visible"])]


def test_a_trial_without_a_gpu_sees_none(run, names, all_visible):
    def trainable(config):
        try:
            Driver()
        except Failed as error:
            return {"code": error.code}
        return {"code": 0}

    rig = run(trainable, [{}], resources={"cpu": 1.0, "gpu": float(len(names))}, request={"cpu": 1.0})
    assert rig.reports()[0]["code"] == NO_DEVICE


def test_four_quarters_are_on_one_device_at_once(run, tmp_path, all_visible):
    def trainable(config):
        driver = Driver()
        driver.take(int(0.15 * driver.memory()[1]))
        (tmp_path / f"here-{os.getpid()}").touch()
        until = time.monotonic() + 60
        while len(list(tmp_path.glob("here-*"))) < 4:
            assert time.monotonic() < until, "the others did not come"
            time.sleep(0.01)
        return {"name": driver.name}

    rig = run(trainable, [{}] * 4, resources={"cpu": 8.0, "gpu": 1.0}, request={"cpu": 1.0, "gpu": 0.25})
    assert [rig.exited(n).outcome for n in range(4)] == [Outcome.FINISHED] * 4
    assert len({rig.reports(n)[0]["name"] for n in range(4)}) == 1


@pytest.mark.parametrize("reuse", [False, True])
def test_the_next_trial_finds_the_memory_free(run, all_visible, reuse):
    def trainable(config):
        driver = Driver()
        free, total = driver.memory()
        if config["dies"] or not reuse:
            driver.take(int(MOST * total))
        if config["dies"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"free": free / total}

    dies = [False, True, False, True, True, False]
    rig = run(
        trainable, [{"dies": each} for each in dies], limits=ONE_BY_ONE, reuse=reuse,
        resources={"cpu": 1.0, "gpu": 1.0}, request={"cpu": 1.0, "gpu": 1.0},
    )  # fmt: skip
    for number, each in enumerate(dies):
        assert rig.exited(number).outcome is (Outcome.ERROR if each else Outcome.FINISHED), rig.exited(number).error
        if not each:
            assert rig.reports(number)[0]["free"] > MOST
