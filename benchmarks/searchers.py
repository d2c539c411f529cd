"""Suggestions: what our searchers take for each, the same of Optuna and HyperOpt beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks import ROOT
from benchmarks.measure import Figures, environment, installed, rounded, value
from benchmarks.target import Target

MOST_MS = {1_000: 1.0, 5_000: None, 10_000: 3.0}
FASTER, GP_MS, GP_SHARE = 10, 150, 0.1
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it: TPE in ten mixed axes, Gaussian processes in six, each side in a process of its own."""
    sizes = dict.fromkeys((20, 40), None) if quick else MOST_MS
    found: dict[str, Any] = {}
    targets = []
    for told, most in sizes.items():
        ours = _said("luthier_tpe", told, 3 if quick else 200)
        optuna, hyperopt = (_said(side, told, 3 if quick else 20) for side in ("optuna_tpe", "hyperopt_tpe"))
        found[f"tpe_{told}"] = {"luthier": ours, "optuna": optuna, "hyperopt": hyperopt}
        what = f"TPE, {told} told, 10 axes: ask and tell, CPU ms"
        wanted = "" if most else "-"
        targets.append(Target(what, ours["ms"], most, wanted=wanted, optuna=value(optuna, "ms")))
        for name, theirs in (("Optuna", optuna), ("HyperOpt", hyperopt)):
            if theirs:
                targets.append(
                    Target(f"TPE, {told} told: {name}'s time of ours", theirs["ms"] / ours["ms"], least=FASTER)
                )
    told = 20 if quick else 100
    ours, optuna = _said("luthier_gp", told, 3 if quick else 20), _said("optuna_gp", told, 2 if quick else 5)
    found["gp"] = {"luthier": ours, "optuna": optuna}
    targets.append(
        Target(f"GP, {told} told, 6 axes: ask and tell, CPU ms", ours["ms"], GP_MS, optuna=value(optuna, "ms"))
    )
    if optuna:
        targets.append(Target("... of Optuna's Gaussian process", ours["ms"] / optuna["ms"], GP_SHARE))
    return {**found, "targets": targets}


def _said(side: str, told: int, asked: int) -> Figures | None:
    library = side.partition("_")[0]
    if not installed(library) or (side == "optuna_gp" and not installed("torch")):
        return None
    command = [sys.executable, "-m", "benchmarks.sides.searchers", side, str(told), str(asked)]
    environ = {**environment(), **ONE_THREAD}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environ, cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stderr or done.stdout)
    return rounded(json.loads(done.stdout.splitlines()[-1]))
