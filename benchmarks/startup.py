"""What an import costs: a fresh interpreter that imports and ends."""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.measure import code, gauged, installed, ratio, value
from benchmarks.target import Target

HEAVY = ("numpy", "pandas", "scipy", "rich")
SOURCES = {
    "python": "pass",
    "luthier": "from luthier import tune",
    "luthier_used": "from luthier import tune; tune.Tuner, tune.TuneConfig, tune.RunConfig, tune.uniform, tune.report",
    "ray": "from ray import tune",
    "optuna": "import optuna",
}


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it."""
    found: dict[str, Any] = {}
    for name, source in SOURCES.items():
        if name == "python" or installed(name.partition("_")[0]):
            found[name] = code(source, repeats=3 if quick else 15 if name != "ray" else 5)
    ask = f"import json, sys; {SOURCES['luthier_used']}; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    heavy = json.loads(gauged([sys.executable, "-c", ask])["said"])
    ours, ray, optuna = found["luthier"], found.get("ray"), found.get("optuna")
    return {
        **found,
        "heavy_imported": heavy,
        "ratios": {"cpu_of_ray": ratio(ours, ray, "cpu_s"), "cpu_of_optuna": ratio(ours, optuna, "cpu_s")},
        "targets": [
            Target("import, CPU s", ours["cpu_s"], most=0.10, ray=value(ray, "cpu_s"), optuna=value(optuna, "cpu_s")),
            Target("... and its names used, CPU s", found["luthier_used"]["cpu_s"], most=0.10),
            Target("of numpy, pandas, scipy, rich imported", float(len(heavy)), most=0),
        ],
    }
