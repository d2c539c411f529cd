"""What a trial may rely on wherever it runs: half of the contract in :mod:`luthier.testing.executors`."""

from __future__ import annotations

import math
import os
import random
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from luthier.core import events as ev
from luthier.core.limits import Limits
from luthier.core.terms import Outcome, Status
from luthier.testing.rig import Rig
from luthier.testing.trainables import Counter, Reusable, counting, same
from luthier.worker.assignment import Checkpointing
from luthier.worker.context import get_context
from luthier.worker.parameters import with_parameters
from luthier.worker.session import report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.terms import Config
    from luthier.execution.base import Executor

    Make = Callable[..., Executor]
    Drive = Callable[..., Rig]


class TrialContract:
    """What a trial may rely on, wherever it runs."""

    isolated: ClassVar[bool] = False  # whether each trial has a process of its own

    @pytest.fixture
    def experiment_dir(self, tmp_path: Path) -> Path:
        """Return an empty directory for one experiment."""
        folder = tmp_path / "experiment"
        folder.mkdir()
        return folder

    @pytest.fixture
    def executor_for(self, experiment_dir: Path) -> Make:
        """Return ``make(trainable, *, resources, reuse=False) -> Executor``."""
        raise NotImplementedError("override the fixture executor_for")

    @pytest.fixture
    def drive(self, executor_for: Make, experiment_dir: Path) -> Drive:
        """Return ``drive(trainable, configs, **options) -> Rig``: an experiment that has come to its end."""

        def run(trainable: object, configs: Sequence[Config] = ({},), *, reuse: bool = False, **options: Any) -> Rig:
            executor = executor_for(trainable, resources={"cpu": 2.0, "gpu": 2.0}, reuse=reuse)
            return Rig(executor, experiment_dir, configs, **options).run()

        return run

    # -- a trial that goes well ----------------------------------------------------------------------------------------
    def test_a_function_reports_and_finishes(self, drive: Drive) -> None:
        rig = drive(counting, [{"n": 3}])
        assert [m["i"] for m in rig.reports()] == [0, 1, 2]
        assert [e.seq for e in rig.of(0, ev.Reported)] == [0, 1, 2]
        assert rig.exited() == ev.Exited(rig.trial(0).id, 1, Outcome.FINISHED)

    def test_a_class_is_stepped_until_it_is_done(self, drive: Drive) -> None:
        rig = drive(Counter, [{"n": 3}], checkpointing=Checkpointing(at_end=False))
        assert [m["count"] for m in rig.reports()] == [1, 2, 3]
        assert [m["done"] for m in rig.reports()] == [False, False, True]
        assert rig.exited() == ev.Exited(rig.trial(0).id, 1, Outcome.FINISHED)

    @pytest.mark.parametrize(
        ("trainable", "reported"),
        [
            (lambda config: {"loss": config["x"]}, [{"loss": 2}]),
            (lambda config: config["x"] / 4, [{"_metric": 0.5}]),
            (lambda config: None, []),
            (lambda config: ({"i": i} for i in range(config["x"])), [{"i": 0}, {"i": 1}]),
        ],
        ids=["dict", "number", "nothing", "generator"],
    )
    def test_what_is_returned_is_reported(self, drive: Drive, trainable: Any, reported: list[Any]) -> None:
        rig = drive(trainable, [{"x": 2}])
        assert rig.exited().outcome is Outcome.FINISHED
        assert len(rig.reports()) == len(reported)
        for got, wanted in zip(rig.reports(), reported, strict=True):
            assert got.items() >= wanted.items()

    def test_fields_are_filled_in(self, drive: Drive) -> None:
        first, second = drive(counting, [{"n": 2}]).reports()
        assert (first["training_iteration"], second["training_iteration"]) == (1, 2)
        assert 0 <= first["time_total_s"] <= second["time_total_s"]
        assert first["done"] is second["done"] is False
        assert (first["pid"] == os.getpid()) is not self.isolated
        for field in ("timestamp", "hostname", "node_ip", "time_this_iter_s", "time_since_restore"):
            assert field in first

    def test_many_trials_in_turn(self, drive: Drive) -> None:
        rig = drive(counting, [{"n": n % 3 + 1} for n in range(25)])
        assert [len(rig.reports(n)) for n in range(25)] == [n % 3 + 1 for n in range(25)]
        assert {t.status for t in rig.engine.experiment.trials.values()} == {Status.DONE}

    # -- nothing is changed on the way ---------------------------------------------------------------------------------
    def test_metrics_arrive_exactly(self, drive: Drive) -> None:
        sent: dict[str, Any] = {
            "nan": math.nan, "inf": math.inf, "ninf": -math.inf, "int": 3, "big": 2**80, "tiny": 5e-324, "tenth": 0.1,
            "text": "naïve ☃", "none": None, "yes": True, "nested": {"deep": {"er": [1, 2.5, "x"]}}, "pair": (1, "2"),
            "bytes": b"\x00\xff", "empty": {}, "$": "sign",
        }  # fmt: skip

        def trainable(config: Config) -> None:
            report(sent)

        (got,) = drive(trainable).reports()
        assert same({k: got[k] for k in sent}, sent)

    def test_numpy_arrives(self, drive: Drive) -> None:
        def trainable(config: Config) -> None:
            import numpy as np

            report({"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True), "d": np.arange(6.0).reshape(2, 3)})  # noqa: FBT003

        import numpy as np

        (got,) = drive(trainable).reports()
        assert same({k: got[k] for k in "abc"}, {"a": 0.5, "b": 3, "c": True})
        np.testing.assert_array_equal(got["d"], np.arange(6.0).reshape(2, 3))

    def test_the_config_arrives_exactly(self, drive: Drive) -> None:
        config: dict[Any, Any] = {
            "nan": math.nan, "inf": -math.inf, "nested": {"a": [1, {"b": (2, None)}]}, 5: "five", "f": 0.1, "s": {1, 2},
            "path": Path("a/b"), "text": "☃",
        }  # fmt: skip

        def trainable(config: Config) -> None:
            report({"config_was": repr(config), "types": repr({k: type(v) for k, v in config.items()})})

        (got,) = drive(trainable, [config]).reports()
        assert got["config_was"] == repr(config)
        assert got["types"] == repr({k: type(v) for k, v in config.items()})

    def test_the_config_is_the_trials_own(self, drive: Drive) -> None:
        def trainable(config: Config) -> None:
            config["list"].append(1)
            config["dict"]["x"] = 2
            config["new"] = 3
            report({"n": len(config["list"])})

        given: Config = {"list": [], "dict": {}}
        rig = drive(trainable, [given])
        assert given == {"list": [], "dict": {}}
        assert rig.trial(0).config == {"list": [], "dict": {}}

    def test_metrics_that_change_later_do_not_change_what_was_reported(self, drive: Drive) -> None:
        def trainable(config: Config) -> None:
            metrics: dict[str, Any] = {"seen": [], "n": {"x": 0}}
            for i in range(3):
                metrics["seen"].append(i)
                metrics["n"]["x"] = i
                report(metrics)

        rig = drive(trainable)
        assert [m["seen"] for m in rig.reports()] == [[0], [0, 1], [0, 1, 2]]
        assert [m["n"]["x"] for m in rig.reports()] == [0, 1, 2]

    # -- lockstep ------------------------------------------------------------------------------------------------------
    def test_a_report_returns_after_it_was_taken(self, executor_for: Make, experiment_dir: Path) -> None:
        taken = experiment_dir / "taken"

        def trainable(config: Config) -> None:
            for i in range(5):
                report({"before": len(taken.read_text()) if taken.exists() else 0, "i": i})

        executor = executor_for(trainable, resources={"cpu": 1.0}, reuse=False)

        def judge(news: ev.News, experiment: ExperimentView) -> Sequence[Decision]:
            if isinstance(news, ev.Reported):
                with taken.open("a") as file:
                    file.write("x")
            return ()

        rig = Rig(executor, experiment_dir, judge=judge).run()
        assert [m["before"] for m in rig.reports()] == [0, 1, 2, 3, 4]

    def test_reports_from_another_thread_count(self, drive: Drive) -> None:
        def trainable(config: Config) -> None:
            thread = threading.Thread(target=counting, args=({"n": 3},))
            thread.start()
            thread.join()

        assert [m["i"] for m in drive(trainable).reports()] == [0, 1, 2]

    # -- surroundings --------------------------------------------------------------------------------------------------
    def test_the_context_is_the_trials(self, drive: Drive, experiment_dir: Path) -> None:
        def trainable(config: Config) -> None:
            ctx = get_context()
            resources = ctx.get_trial_resources()
            report({
                "id": ctx.get_trial_id(), "name": ctx.get_trial_name(), "dir": ctx.get_trial_dir(),
                "experiment": ctx.get_experiment_name(), "resources": dict(resources or {}), "cwd": os.getcwd(),
                "is_dir": Path(ctx.get_trial_dir() or "?").is_dir(),
            })  # fmt: skip

        rig = drive(trainable, request={"cpu": 2.0})
        (got,) = rig.reports()
        trial = rig.trial(0).id
        assert got["id"] == trial
        assert got["name"] == f"name_of_{trial}"
        assert Path(got["dir"]) == experiment_dir / trial
        assert got["is_dir"] is True
        assert got["experiment"] == "contract"
        assert got["resources"] == {"cpu": 2.0}
        assert got["cwd"] == str(Path.cwd())

    def test_a_seed_makes_trials_repeatable(self, executor_for: Make, tmp_path: Path) -> None:
        def trainable(config: Config) -> None:
            import numpy as np

            report({"a": random.random(), "b": float(np.random.random())})  # noqa: S311, NPY002

        def draws(seed: int, folder: str) -> list[tuple[float, float]]:
            executor = executor_for(trainable, resources={"cpu": 1.0}, reuse=False)
            rig = Rig(executor, tmp_path / folder, [{}, {}], seed=seed).run()
            return [(m["a"], m["b"]) for n in range(2) for m in rig.reports(n)]

        first = draws(1, "first")
        assert draws(1, "second") == first
        assert draws(2, "third") != first
        assert first[0] != first[1]

    def test_large_parameters_come_along(self, drive: Drive) -> None:
        import numpy as np

        def trainable(config: Config, table: Any, factor: int) -> None:
            report({"sum": float(table.sum()) * factor})

        table = np.arange(100_000.0)
        rig = drive(with_parameters(trainable, table=table, factor=2), [{}, {}])
        assert [rig.reports(n)[0]["sum"] for n in range(2)] == [float(table.sum()) * 2] * 2

    def test_parameters_of_a_class_go_to_its_setup(self, drive: Drive) -> None:
        class Parametrised(Counter):
            def setup(self, config: Config, start: Any = None) -> None:
                self.count = int(start[-1])

        import numpy as np

        rig = drive(with_parameters(Parametrised, start=np.arange(50_001)), [{"n": 50_002}])
        assert [m["count"] for m in rig.reports()] == [50_001, 50_002]

    def test_one_trainable_may_serve_many_trials(self, drive: Drive) -> None:
        limits = Limits(max_concurrent=1, max_losses=0)
        rig = drive(Reusable, [{"n": 2}, {"n": 3}, {"n": 1}], reuse=True, limits=limits)
        assert [[m["count"] for m in rig.reports(n)] for n in range(3)] == [[1, 2], [1, 2, 3], [1]]
        assert [rig.reports(n)[-1]["resets"] for n in range(3)] == [0, 1, 2]
        assert [rig.reports(n)[-1]["config_n"] for n in range(3)] == [2, 3, 1]
        assert [rig.reports(n)[-1]["training_iteration"] for n in range(3)] == [2, 3, 1]

    def test_reuse_survives_a_failure_and_a_refusal(self, drive: Drive) -> None:
        class Refusing(Counter):
            def step(self) -> dict[str, Any]:
                if self.config.get("fail"):
                    raise RuntimeError("as asked")
                return super().step()

        limits = Limits(max_concurrent=1, max_losses=0)
        rig = drive(Refusing, [{"n": 1}, {"fail": True}, {"n": 2}], reuse=True, limits=limits)
        assert [t.status for t in rig.engine.experiment.trials.values()] == [Status.DONE, Status.FAILED, Status.DONE]
        assert [m["count"] for m in rig.reports(2)] == [1, 2]
