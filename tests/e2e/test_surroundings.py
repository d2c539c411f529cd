"""Processes that have next to nothing: closed streams, few descriptors; and several experiments in one."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from luthier import tune

SCRIPT = """
    import os, resource, sys
    from luthier import tune

    def objective(config):
        print("hello")
        for step in range(5):
            tune.report({"loss": config["x"] + step})

    if __name__ == "__main__":
        storage, few, closed = sys.argv[1:]
        if few != "0":
            resource.setrlimit(resource.RLIMIT_NOFILE, (int(few), int(few)))
        for number in map(int, closed):
            os.close(number)
        results = tune.Tuner(
            objective,
            param_space={"x": tune.grid_search(list(range(40)))},
            run_config=tune.RunConfig(storage_path=storage, name="e", verbose=1, resources={"cpu": 40}, echo=True),
        ).fit()
        with open(os.path.join(storage, "told"), "w") as file:
            file.write(f"{len(results)} {results.num_errors} {sum(len(r.metrics_dataframe) for r in results)}")
"""


@pytest.mark.parametrize(("few", "closed"), [(0, "0"), (0, "01"), (0, "012"), (0, "12"), (48, "."), (24, ".")])
def test_a_process_that_has_little(tmp_path, few, closed):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(few), closed.strip(".")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "told").read_text() == "40 0 200"
    for segment in Path(tmp_path, "e", "events").iterdir():
        assert b"hello" not in segment.read_bytes()


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_experiments_side_by_side_in_threads(tmp_path, executor):
    def fit(mine):
        def trainable(config):
            for step in range(30):
                tune.report({"mine": config["mine"], "step": step})

        grid = tune.Tuner(
            trainable,
            param_space={"mine": mine},
            tune_config=tune.TuneConfig(num_samples=3),
            run_config=tune.RunConfig(storage_path=tmp_path, name=f"e{mine}", verbose=0, executor=executor),
        ).fit()
        return [(len(r.metrics_dataframe), set(r.metrics_dataframe["mine"])) for r in grid]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fit, range(4))) == [[(30, {mine})] * 3 for mine in range(4)]


def test_a_storage_that_is_deleted_under_an_experiment_ends_it(tmp_path):
    import shutil

    from luthier.core.errors import StoreFailed

    def trainable(config):
        for step in range(2000):
            tune.report({"step": step})
            if step == 10:
                shutil.rmtree(tmp_path / "e" / "events")

    tuner = tune.Tuner(
        trainable, run_config=tune.RunConfig(storage_path=tmp_path, name="e", verbose=0, executor="inline")
    )
    with pytest.raises(StoreFailed, match="somebody has deleted or moved it"):
        tuner.fit()
    assert not os.path.exists(tmp_path / "e" / "events")
