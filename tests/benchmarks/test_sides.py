from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import judged, measure
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.log_cost import cost
from benchmarks.log_share import share
from benchmarks.page import BEGIN, END, figures, replaced
from benchmarks.sides.searchers import SIDES
from benchmarks.sides.searchers import cost as asked
from benchmarks.sides.with_luthier import WORKLOADS
from benchmarks.target import Target, table
from benchmarks.workers import simulate
from luthier.store.jsonl import JsonlStore

ROOT = Path(__file__).parents[2]
SIZES = {"quickstart": 4, "fresh": 3, "reused": 5, "inline": 5, "reports": 7, "restore": 3}
SIZES |= {"checkpoints": 3, "dataframe": 5, "dataframe-best": 5, "report": 4}
WRITTEN = {**SIZES, "reports": 2, "checkpoints": 1, "restore": 5, "dataframe": 0, "dataframe-best": 0, "report": 0}


@pytest.mark.parametrize("name", sorted(WORKLOADS.keys() - {"restore-begin"}))  # which is killed by restore
def test_every_workload_of_ours_does_what_it_counts(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.sides.with_luthier", name, str(SIZES[name]), str(tmp_path)]
    done = subprocess.run(command, check=True, cwd=ROOT, env=measure.environment(), capture_output=True, text=True)
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["count"] == (2 * SIZES[name] if name == "reports" else SIZES[name])
    assert len(list(tmp_path.glob("*/*/result.json"))) == WRITTEN[name]
    assert said.get("ran_again", 0) == 0


def test_the_checkout_that_a_benchmark_belongs_to_is_measured(monkeypatch, tmp_path) -> None:
    (tmp_path / "luthier").mkdir()
    (tmp_path / "luthier" / "__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # another checkout
    command = [sys.executable, "-c", "import luthier; print(luthier.__file__)"]
    done = subprocess.run(command, check=True, cwd=ROOT, env=measure.environment(), capture_output=True, text=True)
    assert Path(done.stdout.strip()) == ROOT / "src" / "luthier" / "__init__.py"
    command[-1] = "import benchmarks, luthier; print(luthier.__file__)"
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    assert Path(done.stdout.strip()) == ROOT / "src" / "luthier" / "__init__.py"


def test_a_benchmark_without_peers_says_so_and_measures_ours(monkeypatch, capsys) -> None:
    monkeypatch.setattr(measure, "installed", lambda side: side == "luthier")
    monkeypatch.setattr("benchmarks.__main__.installed", measure.installed)
    main(["--quick", "inline"])
    printed = capsys.readouterr()
    line = json.loads(printed.out.splitlines()[0])
    assert (line["benchmark"], line["luthier"]["count"], line["optuna_memory"]) == ("inline", 200, None)
    assert line["ratios"]["rate_of_optuna_memory"] is None
    assert {"cores", "python", "luthier"} <= line["machine"].keys()
    assert "ray, optuna" in printed.err


def test_persisting_is_measured(tmp_path) -> None:
    found = cost(2000, str(tmp_path / "cost"))
    assert found["us_early"] > 0 and found["us_late"] > 0
    for executor in ("inline", "process"):
        found = share(4, str(tmp_path / executor), executor)
        assert 0 < found["log_s"] < found["run_s"]
        assert found["batches"] > 4 * 50


@pytest.mark.parametrize("name", ["asha", "pbt"])
def test_judging_is_measured(name: str) -> None:
    found = judged.cost(name, 9)
    assert 9 <= found["count"] <= 9 * judged.STEPS
    assert (found["count"] == 9 * judged.STEPS) >= (name in judged.DEAF)
    assert found["engine_us"] > 0 and found["pick_us"] > 0


def test_a_run_of_some_benchmarks_leaves_the_rows_of_others() -> None:
    def line(name: str, found: float) -> str:
        machine = {"cores": 2, "processor": "a", "memory_gb": 8.0, "system": "Linux", "python": "3.11", "load": found}
        targets = [Target("speed", found, least=4).as_json()]
        return json.dumps({"benchmark": name, "targets": targets, "machine": {**machine, "ray": None, "optuna": None}})

    page = f"before {BEGIN} {END} after"
    page = replaced(page, figures("\n".join([line("one", 5.0), line("two", 6.0)]), page))
    assert page.count("\n| ") == 3
    page = replaced(page, figures(line("two", 3.0), page))
    page = replaced(page, figures(line("two", 7.0), page))
    assert "| one: speed | >= 4 | 5 | reached |" in page
    assert "| two: speed | >= 4 | 7 | reached |" in page
    assert page.count("\n| ") == 3
    assert [part.partition("two: 2 cores")[1] for part in page.split("\n\n")].count("two: 2 cores") == 1
    assert "Load average when a benchmark began: 5 to 6." in page


def test_an_unknown_benchmark_is_refused(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["speed"])
    assert "'speed'" in capsys.readouterr().err
    names = "startup quickstart fresh reused inline reports checkpoints simulate schedulers restore persist dataframe"
    names += " wrapped searchers wandb report service pages wandb-server workers ray"
    assert set(BENCHMARKS) == set(names.split())


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Target("x", 5.0, least=4), "reached"),
        (Target("x", 3.0, least=4), "MISSED"),
        (Target("x", 3.0, most=4), "reached"),
        (Target("x", 5.0, most=4, ray=70.5), "MISSED  70.5"),
        (Target("x", 5.0, wanted="as Ray"), "no peer"),
    ],
)
def test_the_table_says_what_is_missed(target: Target, said: str) -> None:
    text = table([{"benchmark": "b", "quick": False, "targets": [target.as_json()]}])
    assert text.splitlines()[-1].endswith(said)


@pytest.mark.parametrize("library", ["optuna", "hyperopt", "bayesopt", "skopt"])
def test_wrapped_libraries_are_measured_beside_themselves(library: str) -> None:
    command = [sys.executable, "-m", "benchmarks.sides.wrapped", library, "3", "2"]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["ratio"] == pytest.approx(found["luthier_ms"] / found["bare_ms"])


def test_a_large_cluster_is_simulated_with_its_log(tmp_path) -> None:
    found = simulate(50, 20, str(tmp_path))
    with JsonlStore(str(tmp_path), readonly=True) as store:
        assert sum(len(record.events) for record in store.read()) == found["events"]
    assert (found["trials"], found["workers"]) == (50, 20)
    assert found["log_bytes_per_event"] > 50


@pytest.mark.parametrize("side", sorted(SIDES))
def test_every_search_is_measured(side: str) -> None:
    assert asked(side, 12, 2)["ms"] > 0


def test_telling_wandb_is_measured(tmp_path) -> None:
    for on in ("off", "on"):
        command = [sys.executable, "-m", "benchmarks.sides.logging", "luthier", "5", str(tmp_path / on), "2", on]
        done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        assert found["count"] == 10
        assert found["report_ms"] > 0
        assert len(list((tmp_path / on).glob("e/*/wandb/offline-run-*/*.wandb"))) == (2 if on == "on" else 0)
