"""What may be wrong with a cluster's options is said at once, where Ray is silent or slow."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest
import ray

from luthier import tune
from luthier.core.errors import BadArgument, LuthierError
from luthier.execution.ray import cast
from luthier.execution.ray.cluster import Cluster, check_reachable, options_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def trainable(config: Any) -> None:
    tune.report({"loss": config["x"]})


def tuner(asks: dict[str, float], folder: Path, **options: Any) -> tune.Tuner:
    return tune.Tuner(
        tune.with_resources(trainable, asks),
        param_space={"x": 1},
        run_config=tune.RunConfig(
            name="t", storage_path=str(folder), verbose=0, executor="ray", executor_options=options or None
        ),
    )


def test_a_misspelt_option_is_named_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(BadArgument, match=r"executor_options=.* ray.init has no argument 'num_cpu'; give 'num_cpus'"):
        Cluster({"address": "local", "num_cpu": 2})


def test_an_address_where_nobody_is_fails_soon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        check_reachable(address)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda address="": pytest.fail(f"Ray was asked for {address}"))
    with pytest.raises(LuthierError, match=rf"no connection to a Ray cluster \({address}\): .*ray start --head"):
        Cluster({"address": address})
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "ray_current_cluster").write_text(address)  # so is a cluster remembered that was not stopped
    with pytest.raises(LuthierError, match=rf"{address}.*`ray stop` forgets it"):
        Cluster({"_temp_dir": str(tmp_path)})
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(LuthierError, match=address):
        Cluster()
    with pytest.raises(LuthierError, match="70000"):
        check_reachable("127.0.0.1:70000")
    for rays_own in ("", "auto", "local"):
        check_reachable(rays_own)


@pytest.mark.usefixtures("cluster")
def test_a_trial_whose_runtime_environment_cannot_be_made_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    given = options_of

    def without_conda(resources: Mapping[str, float]) -> dict[str, Any]:
        return {**given(resources), "runtime_env": {"conda": "nowhere"}}

    monkeypatch.setattr(cast, "options_of", without_conda)
    (result,) = tuner({"cpu": 1}, tmp_path).fit()
    assert result.error is not None and "runtime env" in str(result.error)


@pytest.mark.usefixtures("cluster")
def test_what_no_node_has_is_waited_for_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, logger="luthier"):
        tuner({"cpu": 1, "gpu": 3}, tmp_path)
    assert caplog.messages == [
        "a trial asks for 1 cpu, 3 gpu, and the cluster has 2 cpu, 2 gpu: trials wait until it has more."
    ]
    with pytest.raises(BadArgument, match="the cluster of this experiment has 2 cpu, 2 gpu"):
        tuner({"cpu": 1, "gpu": 3}, tmp_path, address="local")
