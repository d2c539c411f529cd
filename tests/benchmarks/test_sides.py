from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import measure
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.sides.with_luthier import WORKLOADS
from benchmarks.target import Target, table

ROOT = Path(__file__).parents[2]
SIZES = {"quickstart": 4, "fresh": 3, "reused": 5, "inline": 5, "reports": 7, "checkpoints": 3}
TRIALS = {**SIZES, "reports": 2, "checkpoints": 1}


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_of_ours_does_what_it_counts(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.sides.with_luthier", name, str(SIZES[name]), str(tmp_path)]
    done = subprocess.run(command, check=True, cwd=ROOT, env=measure.environment(), capture_output=True, text=True)
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["count"] == (2 * SIZES[name] if name == "reports" else SIZES[name])
    assert len(list(tmp_path.glob("*/*/result.json"))) == TRIALS[name]


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


def test_an_unknown_benchmark_is_refused(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["speed"])
    assert "'speed'" in capsys.readouterr().err
    names = {"startup", "quickstart", "fresh", "reused", "inline", "reports", "checkpoints", "simulate"}
    assert set(BENCHMARKS) == names


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
