"""What a suggestion costs through our search algorithms over libraries, and through the libraries themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks.measure import ROOT, environment, installed
from benchmarks.target import Target

LIBRARIES = {"optuna": "OptunaSearch", "hyperopt": "HyperOptSearch", "ax": "AxSearch", "zoopt": "ZOOptSearch"}
SLOW = {"ax": (21, 6)}  # 20 quasi-random trials, then models: seconds for each
MICROSECONDS = {"zoopt": 0.5}  # its own suggestion takes less than 0.1 ms: what ours may take more, in ms


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it: 10 mixed axes, as many results told as the library stands, then suggestions of both in turns."""
    found: dict[str, Any] = {}
    targets = []
    for library, ours in LIBRARIES.items():
        if not installed(library):
            continue
        told, asked = SLOW.get(library, (200, 60)) if not quick else (20, 4)
        command = [sys.executable, "-m", "benchmarks.sides.wrapped", library, str(told), str(asked)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment(), cwd=ROOT)
        found[library] = json.loads(done.stdout.splitlines()[-1])
        if library in MICROSECONDS:
            more = found[library]["luthier_ms"] - found[library]["bare_ms"]
            said = f"{ours}: CPU of a suggestion at {told} told, ms more than the library's own"
            targets.append(Target(said, more, most=MICROSECONDS[library]))
            continue
        said = f"{ours}: CPU of a suggestion at {told} told / the library's own"
        targets.append(Target(said, found[library]["ratio"], most=1.2))
    return {**found, "targets": targets}
