from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from luthier import tune
from luthier.core.errors import BadArgument, LuthierError
from luthier.execution.ray.cluster import Cluster

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("cluster")
def test_a_tuner_on_ray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def trainable(config: Any) -> None:
        print("hello from", os.getpid())
        for i in range(3):
            tune.report({"loss": config["x"] ** 2 + i, "pid_was": os.getpid()})

    monkeypatch.setenv("LUTHIER_EXECUTOR", "ray")
    results = tune.Tuner(
        trainable,
        param_space={"x": tune.grid_search([1, 2])},
        tune_config=tune.TuneConfig(metric="loss", mode="min"),
        run_config=tune.RunConfig(storage_path=str(tmp_path), name="on_ray", verbose=0),
    ).fit()
    assert [len(result.metrics_dataframe) for result in results] == [3, 3]
    assert results.get_best_result().config == {"x": 1}
    assert len({os.getpid()} | {result.metrics["pid_was"] for result in results}) == 3
    for result in results:
        assert (tmp_path / "on_ray" / os.path.basename(result.path) / "stdout").read_text().startswith("hello from")


def test_what_ray_cannot_take_is_refused_at_once():
    with pytest.raises(BadArgument, match="resources"):
        tune.RunConfig(executor="ray", resources={"cpu": 1})
    with pytest.raises(BadArgument, match="executor_options"):
        tune.RunConfig(executor="process", executor_options={"address": "auto"})
    with pytest.raises(BadArgument, match="proxy"):
        Cluster({"address": "ray://127.0.0.1:10001"})


def test_a_missing_ray_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(LuthierError, match=r"""^executor="ray" needs Ray: pip install "luthier\[ray\]"$"""):
        Cluster()
