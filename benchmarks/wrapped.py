"""What a suggestion costs through our search algorithms over libraries, and through the libraries themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks import ROOT
from benchmarks.measure import environment, installed
from benchmarks.target import Target

LIBRARIES = {
    "optuna": ("optuna", "OptunaSearch", 200, 60),
    "hyperopt": ("hyperopt", "HyperOptSearch", 200, 60),
    "bayesopt": ("bayes_opt", "BayesOptSearch", 50, 12),
    "skopt": ("skopt", "SkOptSearch", 50, 12),
    "ax": ("ax", "AxSearch", 21, 6),
    "nevergrad": ("nevergrad", "NevergradSearch", 60, 60),
    "hebo": ("hebo", "HEBOSearch", 13, 4),
    "zoopt": ("zoopt", "ZOOptSearch", 200, 60),
}  # by our names: the module, our class, results told and suggestions asked for
MORE = {"zoopt": 0.5}  # whose own suggestion takes less than 0.1 ms: how much more ours may take, in ms


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it: 10 mixed axes, as many results told as the library stands, then suggestions of both in turns."""
    found: dict[str, Any] = {}
    targets = []
    for library, (module, ours, told, asked) in LIBRARIES.items():
        if not installed(module):
            continue
        told, asked = (20, 4) if quick else (told, asked)  # noqa: PLW2901 (that many will do)
        command = [sys.executable, "-m", "benchmarks.sides.wrapped", library, str(told), str(asked)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment(), cwd=ROOT)
        found[library] = json.loads(done.stdout.splitlines()[-1])
        if library in MORE:
            more = found[library]["luthier_ms"] - found[library]["bare_ms"]
            said = f"{ours}: CPU of a suggestion at {told} told, ms more than the library's own"
            targets.append(Target(said, more, most=MORE[library]))
            continue
        said = f"{ours}: CPU of a suggestion at {told} told / the library's own"
        targets.append(Target(said, found[library]["ratio"], most=1.2))
    return {**found, "targets": targets}
