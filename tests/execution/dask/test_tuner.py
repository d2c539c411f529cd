from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from distributed import Client, LocalCluster

from luthier import tune
from luthier.core.errors import BadArgument, LuthierError
from luthier.execution.dask.cluster import Cluster, all_nodes

if TYPE_CHECKING:
    from pathlib import Path


def test_a_tuner_on_dask(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def trainable(config: Any) -> None:
        print("hello from", os.getpid())
        for i in range(3):
            tune.report({"loss": config["x"] ** 2 + i, "pid_was": os.getpid(), "odd": {config["x"]}})

    monkeypatch.setenv("LUTHIER_EXECUTOR", "dask")
    results = tune.Tuner(
        trainable,
        param_space={"x": tune.grid_search([1, 2]), "kept": (1, "2")},
        tune_config=tune.TuneConfig(metric="loss", mode="min"),
        run_config=tune.RunConfig(
            storage_path=str(tmp_path), name="on_dask", verbose=0,
            executor_options={"address": cluster.scheduler_address},
        ),
    ).fit()  # fmt: skip
    assert [len(result.metrics_dataframe) for result in results] == [3, 3]
    best = results.get_best_result()
    assert best.config == {"x": 1, "kept": (1, "2")}
    assert best.metrics["odd"] == {1}
    assert len({os.getpid()} | {result.metrics["pid_was"] for result in results}) == 3
    for result in results:
        assert (tmp_path / "on_dask" / os.path.basename(result.path) / "stdout").read_text().startswith("hello from")


def test_a_script_without_a_cluster_has_one_of_its_own(tmp_path: Path):
    script = tmp_path / "script.py"  # at the top level of a script, which no worker may import
    script.write_text(
        "from luthier import tune\n"
        "class Kept:\n"
        "    pass\n"
        "def train(config):\n"
        "    tune.report({'loss': config['x'], 'kept': Kept()})\n"
        "run = tune.RunConfig(storage_path='results', verbose=0)\n"
        "results = tune.Tuner(train, param_space={'x': tune.grid_search([1, 2])}, run_config=run).fit()\n"
        "assert isinstance(results[0].metrics['kept'], Kept)\n"
        "print(sorted(result.metrics['loss'] for result in results))\n"
    )
    environ = {**os.environ, "LUTHIER_EXECUTOR": "dask"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], cwd=tmp_path, env=environ, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "[1, 2]\n", "")


def test_the_client_of_the_process_says_which_cluster(cluster: LocalCluster):
    with Client(cluster.scheduler_address):
        (has,) = all_nodes(None).values()
    assert {name: has[name] for name in ("cpu", "gpu")} == {"cpu": 2.0, "gpu": 2.0}


def test_what_dask_cannot_take_is_refused_at_once():
    with pytest.raises(BadArgument, match="threads_per_worker"):
        tune.RunConfig(executor="dask", resources={"cpu": 1})
    with pytest.raises(LuthierError, match=r"no connection to a Dask cluster \(tcp://127.0.0.1:9\)"):
        Cluster({"address": "tcp://127.0.0.1:9", "timeout": "0.5s"})


def test_a_missing_dask_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(LuthierError, match=r"""^executor="dask" needs Dask: pip install "luthier\[dask\]"$"""):
        Cluster()


def test_a_misspelt_option_is_named_with_the_one_that_was_meant():
    for given, meant in (("n_worker", "n_workers"), ("adress", "address"), ("memory_limits", "memory_limit")):
        with pytest.raises(BadArgument, match=rf"distributed.Client has no argument '{given}'; give '{meant}'"):
            Cluster({given: 1})
