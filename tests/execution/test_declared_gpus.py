"""GPUs that a pool is said to have: which trial sees which of them, at the same time as whom."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from luthier.core.terms import Outcome
from tests.execution.test_process_ends import ONE_BY_ONE

AMPLE = {"cpu": 8.0, "gpu": 2.0}


def visible() -> str:
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_four_quarters_are_on_one_device_at_once_and_the_fifth_on_the_other(run, tmp_path):
    def trainable(config):
        (tmp_path / f"here-{os.getpid()}").touch()
        until = time.monotonic() + 30
        while len(list(tmp_path.glob("here-*"))) < 5:  # all five at once, or never
            assert time.monotonic() < until, "the others did not come"
            time.sleep(0.01)
        return {"gpu": visible()}

    rig = run(trainable, [{}] * 5, resources=AMPLE, request={"cpu": 0.1, "gpu": 0.25})
    assert [rig.exited(n).outcome for n in range(5)] == [Outcome.FINISHED] * 5
    assert sorted(rig.reports(n)[0]["gpu"] for n in range(5)) == ["0", "0", "0", "0", "1"]


def test_whole_devices_and_shares_of_them_exclude_each_other(run, tmp_path):
    def trainable(config):
        whole = config["gpu"] >= 1
        for name in visible().split(","):
            place = tmp_path / f"gpu-{name}"
            place.mkdir(exist_ok=True)
            (place / f"{'whole' if whole else 'share'}-{os.getpid()}").touch()
        time.sleep(0.05)
        beside = [
            other.name
            for name in visible().split(",")
            for other in (tmp_path / f"gpu-{name}").iterdir()
            if not other.name.endswith(f"-{os.getpid()}") and (whole or other.name.startswith("whole"))
        ]
        for name in visible().split(","):
            for mine in (tmp_path / f"gpu-{name}").glob(f"*-{os.getpid()}"):
                mine.unlink()
        return {"beside": beside, "gpus": len(visible().split(","))}

    amounts = [1.0, 0.5, 2.0, 1.0, 0.25, 1.0, 0.75, 2.0]
    rig = run(
        trainable, [{"gpu": amount} for amount in amounts], resources=AMPLE,
        request=lambda config: {"cpu": 0.1, "gpu": config["gpu"]},
    )  # fmt: skip
    found = [rig.reports(n)[0] for n in range(len(amounts))]
    assert [report["beside"] for report in found] == [[]] * len(amounts)
    assert [report["gpus"] for report in found] == [max(1, int(amount)) for amount in amounts]


def test_a_device_is_free_again_after_kill_9(run):
    def trainable(config):
        if config["dies"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"gpu": visible()}

    for amount in (1.0, 0.75):
        rig = run(
            trainable, [{"dies": dies} for dies in (True, False, True, True, False)], limits=ONE_BY_ONE,
            resources={"cpu": 1.0, "gpu": 1.0}, request={"cpu": 1.0, "gpu": amount},
        )  # fmt: skip
        assert [rig.exited(n).outcome for n in (0, 2, 3)] == [Outcome.ERROR] * 3
        assert [rig.reports(n)[0]["gpu"] for n in (1, 4)] == ["0", "0"]


def test_a_device_is_taken_from_what_a_killed_trial_has_started(run, tmp_path):
    def trainable(config):
        if config["first"]:
            if (child := os.fork()) == 0:
                time.sleep(3600)
            (tmp_path / "child").write_text(str(child))
            os.kill(os.getpid(), signal.SIGKILL)
        state = Path(f"/proc/{(tmp_path / 'child').read_text()}/stat")
        alive = state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"
        return {"child_is_alive": alive}

    rig = run(
        trainable, [{"first": True}, {"first": False}], limits=ONE_BY_ONE,
        resources={"cpu": 1.0, "gpu": 1.0}, request={"cpu": 1.0, "gpu": 1.0},
    )  # fmt: skip
    assert rig.reports(1)[0]["child_is_alive"] is False
