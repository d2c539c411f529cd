"""Workers that come, go, see nothing of the experiment's directory, or lose their driver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from distributed import LocalCluster, Nanny

from luthier.core import events as ev
from luthier.core.errors import LuthierError
from luthier.core.limits import Limits
from luthier.core.terms import Outcome, Status
from luthier.execution.dask.executor import DaskExecutor
from luthier.testing.isolation import gone
from luthier.testing.rig import Rig
from luthier.testing.trainables import Counter, pause_at, resuming
from luthier.worker.context import get_context
from luthier.worker.parameters import with_parameters
from luthier.worker.session import get_checkpoint, report

if TYPE_CHECKING:
    from luthier.core.terms import Config


def executor(cluster: Any, trainable: Any, folder: Path, **options: Any) -> DaskExecutor:
    return DaskExecutor(
        trainable, experiment_dir=folder, options={"address": cluster.scheduler_address}, grace=1.0, **options
    )


def apart(cluster: Any, trainable: Any, folder: Path, configs: list[Any], **options: Any) -> Rig:
    made = executor(cluster, trainable, folder)
    made._marker = str(folder / "somewhere_else")  # what the workers look for is another file
    return Rig(made, folder, configs, **options).run()


def test_checkpoints_and_output_are_fetched(cluster: LocalCluster, tmp_path: Path):
    def trainable(config: Config) -> None:
        first = get_checkpoint() is None
        print("first" if first else "second")
        Path(str(get_context().get_trial_dir()), "mine").write_text("of the trial")
        resuming({"n": 2 if first else 4})
        if first:
            raise RuntimeError("the first attempt fails")

    rig = apart(cluster, trainable, tmp_path, [{}], limits=Limits(max_failures=1, max_losses=0))
    assert [m["count"] for m in rig.reports()] == [1, 2, 3, 4]
    assert [m["from"] for m in rig.reports()] == [0, 0, 2, 2]
    folder = tmp_path / rig.trial(0).id
    assert (folder / "stdout").read_text() == "first\nsecond\n"
    assert (folder / "mine").read_text() == "of the trial"
    assert (tmp_path / str(rig.trial(0).checkpoint) / "count").read_text() == "4"


def test_a_class_is_paused_and_goes_on_elsewhere(cluster: LocalCluster, tmp_path: Path):
    rig = apart(cluster, Counter, tmp_path, [{"n": 4}], judge=pause_at(2))
    assert [m["count"] for m in rig.reports()] == [1, 2, 3, 4]
    assert rig.trial(0).status is Status.DONE


def test_parameters_travel_once_and_are_mapped(cluster: LocalCluster, tmp_path: Path):
    import numpy as np

    def trainable(config: Config, table: Any, note: str) -> None:
        report({"sum": float(table.sum()), "note": note, "own": table.flags.owndata or table.flags.writeable})

    shared = with_parameters(trainable, table=np.ones(100_000), note="ok")
    rig = Rig(executor(cluster, shared, tmp_path), tmp_path, [{}, {}]).run()
    assert [rig.reports(n)[0]["sum"] for n in range(2)] == [100_000.0] * 2
    assert [(rig.reports(n)[0]["note"], rig.reports(n)[0]["own"]) for n in range(2)] == [("ok", False)] * 2


def test_what_cannot_be_loaded_on_a_worker_ends_the_experiment(cluster: LocalCluster, tmp_path: Path):
    class Elsewhere:
        def __reduce__(self) -> Any:
            return __import__, ("a_module_that_only_the_driver_has",)

        def __call__(self, config: Config) -> None: ...

    with pytest.raises(LuthierError, match="a_module_that_only_the_driver_has"):
        Rig(executor(cluster, Elsewhere(), tmp_path), tmp_path).run()


class Missing:
    def __init__(self, terms: object) -> None:
        raise ModuleNotFoundError("No module named 'luthier'")


def test_a_worker_without_luthier_ends_the_experiment(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("luthier.execution.dask.post.Outpost", Missing)
    monkeypatch.setattr("luthier.execution.dask.executor._LOOK", 0.1)
    with pytest.raises(LuthierError, match=r"Dask worker tcp://.*same version.*No module named 'luthier'"):
        Rig(executor(cluster, resuming, tmp_path), tmp_path).run()


def test_a_worker_joins_and_one_is_killed(cluster: LocalCluster, tmp_path: Path):
    here = next(iter(cluster.scheduler.workers))
    second: list[Any] = []

    def trainable(config: Config) -> None:
        me = f"{os.getppid()}"
        while not Path(config["go"]).exists():
            report({"parent": me})
            time.sleep(0.02)

    go = tmp_path / "go"
    limits = Limits(max_losses=1, elastic=True)
    made = executor(cluster, trainable, tmp_path)
    rig = Rig(made, tmp_path, [{"go": str(go)} for _ in range(3)], limits=limits)

    def each_round() -> None:
        joined = [e.worker for e in rig.log if isinstance(e, ev.WorkerJoined)]
        on_second = [e for e in rig.log if isinstance(e, ev.Launched) and e.worker != here]
        if not second and len(joined) == 1 and len(rig.of(1, ev.Reported)) > 0:
            second.append(cluster.sync(one_more, cluster))
        elif len(second) == 1 and on_second and rig.of(on_second[0].trial, ev.Reported):
            os.kill(second[0].pid, signal.SIGKILL)
            second.append("killed")
        elif len(second) == 2 and any(isinstance(e, ev.WorkerLost) for e in rig.log):
            go.touch()

    try:
        rig.run(each_round=each_round)
    finally:
        cluster.sync(second[0].close)
    lost = next(e for e in rig.log if isinstance(e, ev.WorkerLost))
    assert lost.worker != here
    assert [t.status for t in rig.engine.experiment.trials.values()] == [Status.DONE] * 3
    assert any(len(rig.of(n, ev.Launched)) == 2 for n in range(3))
    assert not any(e.outcome is Outcome.ERROR for e in rig.log if isinstance(e, ev.Exited))


async def one_more(cluster: LocalCluster) -> Nanny:
    nanny = await Nanny(cluster.scheduler_address, nthreads=1, dashboard_address=None)
    nanny.auto_restart = False
    return nanny


@pytest.mark.parametrize("how", ["killed", "silent"])
def test_trials_end_with_their_driver(cluster: LocalCluster, tmp_path: Path, how: str):
    script = tmp_path / "driver.py"
    script.write_text(
        textwrap.dedent(f"""
        from pathlib import Path
        from luthier.execution.dask.executor import DaskExecutor
        from luthier.testing.rig import Rig

        def trainable(config):
            import os, time
            Path({str(tmp_path)!r}, "pid").write_text(str(os.getpid()))
            while True:
                time.sleep(1)

        options = {{"address": {cluster.scheduler_address!r}}}
        folder = Path({str(tmp_path)!r}, "experiment")
        Rig(DaskExecutor(trainable, experiment_dir=folder, options=options, lease=2.0), folder).run(60.0)
        """)
    )
    driver = subprocess.Popen([sys.executable, str(script)])
    until = time.monotonic() + 30
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert driver.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    try:
        driver.send_signal(signal.SIGKILL if how == "killed" else signal.SIGSTOP)
        assert gone(int((tmp_path / "pid").read_text()), within=20.0)
    finally:
        driver.kill()
        driver.wait()
