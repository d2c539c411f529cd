"""Trials that do the worst: each fails with one clear message, the others go on, nothing recorded is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from luthier import tune
from luthier.tune.past import Past


def segfault():
    import ctypes

    ctypes.string_at(0)


def kill_hard():
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


def hang_at_exit():
    import threading
    import time

    threading.Thread(target=time.sleep, args=(600,), daemon=False).start()


MISDEEDS = {
    "raises": lambda: 1 / 0,
    "exits": lambda: sys.exit(3),
    "exits hard": lambda: os._exit(4),
    "segfaults": segfault,
    "is killed": kill_hard,
    "reports a string": lambda: tune.report("good"),  # type: ignore[arg-type]
    "returns a string": lambda: "done",
    "returns an object": object,
    "returns nothing": lambda: None,
    "reports nan": lambda: tune.report({"loss": float("nan")}),
    "reports 10 MB": lambda: tune.report({"loss": 2.0, "big": np.zeros(10 << 17)}),
    "hangs at exit": hang_at_exit,
    "prints a lot": lambda: print("x" * (8 << 20)),
    "closes its streams": lambda: os.closerange(1, 3),
    "is good": lambda: {"loss": 1.0},
}
SAYS = {
    "raises": "ZeroDivisionError: division by zero",
    "exits": "sys.exit",
    "exits hard": "code 4",
    "segfaults": "SIGSEGV",
    "is killed": "SIGKILL",
    "reports a string": "'good'",
    "returns a string": "str",
    "returns an object": "object",
}


def misbehave(config):
    tune.report({"before": 1})
    return MISDEEDS[config["does"]]()


@pytest.mark.parametrize("reuse", [False, True], ids=["fresh", "reuse"])
def test_each_fails_alone(reuse, tmp_path):
    grid = tune.Tuner(
        misbehave,
        param_space={"does": tune.grid_search(sorted(MISDEEDS))},
        tune_config=tune.TuneConfig(reuse_actors=reuse, metric="loss", mode="min"),
        run_config=tune.RunConfig(storage_path=tmp_path, verbose=0, grace_s=1.0),
    ).fit()
    by_name = {result.config["does"]: result for result in grid}
    assert by_name.keys() == MISDEEDS.keys()
    failed = {name for name, result in by_name.items() if result.error is not None}
    assert failed == SAYS.keys()
    for name, text in SAYS.items():
        assert text in str(by_name[name].error) + type(by_name[name].error).__name__ + _error_txt(by_name[name]), name
        assert by_name[name].metrics["before"] == 1, name  # what was reported before is not lost
        last = _error_txt(by_name[name]).strip().splitlines()[-1]
        assert "Traceback" not in last, name
    assert by_name["reports 10 MB"].metrics["big"].nbytes == 10 << 20
    assert np.isnan(by_name["reports nan"].metrics["loss"])
    assert grid.get_best_result().config["does"] == "is good"
    log = Past(grid.experiment_path)
    assert {t.config["does"] for t in log.experiment.trials.values()} == MISDEEDS.keys()


def _error_txt(result) -> str:
    return Path(result.path, "error.txt").read_text()


def test_a_full_disk_ends_the_experiment_with_what_to_do(tmp_path):
    script = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        from luthier import tune
        def objective(config):
            for step in range(100000):
                tune.report({"step": step})
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        tune.Tuner(objective, run_config=tune.RunConfig(name="full", verbose=0)).fit()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "LUTHIER_STORAGE_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "StoreFull" in done.stderr.strip().splitlines()[-1]
    assert "What was recorded is safe" in done.stderr
    (trial,) = Past(tmp_path / "full").experiment.trials.values()
    assert trial.metrics["step"] > 100

    def objective(config):
        tune.report({"step": -1})

    grid = tune.Tuner.restore(tmp_path / "full", objective).fit()
    assert grid[0].metrics["step"] == -1
    assert len(grid[0].metrics_dataframe) == trial.metrics["step"] + 2
