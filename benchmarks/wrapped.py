"""What a suggestion costs through our search algorithms over libraries, and through the libraries themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks.measure import ROOT, environment, installed
from benchmarks.target import Target

LIBRARIES = {
    "optuna": "OptunaSearch",
    "hyperopt": "HyperOptSearch",
    "nevergrad": "NevergradSearch",
    "hebo": "HEBOSearch",
}
SLOW = ("hebo",)  # seconds for a suggestion


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it: 10 mixed axes, as many results told as the library stands, then suggestions of both in turns."""
    found: dict[str, Any] = {}
    targets = []
    for library, ours in LIBRARIES.items():
        if not installed(library):
            continue
        told, asked = (20, 4) if quick else (30, 10) if library in SLOW else (200, 60)
        command = [sys.executable, "-m", "benchmarks.sides.wrapped", library, str(told), str(asked)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment(), cwd=ROOT)
        found[library] = json.loads(done.stdout.splitlines()[-1])
        said = f"{ours}: CPU of a suggestion at {told} told / the library's own"
        targets.append(Target(said, found[library]["ratio"], most=1.2))
    return {**found, "targets": targets}
