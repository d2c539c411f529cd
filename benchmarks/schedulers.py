"""Judging: what schedulers take for each result, Ray Tune's own classes beside them."""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.measure import Figures, gauged, installed, rounded, value
from benchmarks.target import Target

MOST_US = {"asha": 5, "asha_promotion": 5, "pasha": 20, "hyperband": 5, "median_stopping_rule": 20, "pbt": 20}
PEERLESS = {"asha_promotion", "pasha"}  # Ray Tune has none of these
ENGINE_US, GROWTH, PICK_US = 40, 2, 10


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure what is there: a scheduler that does not exist yet has no row."""
    sizes = (10, 30) if quick else (100, 1_000, 5_000)
    ours: dict[str, list[Figures]] = {}
    rays: dict[str, list[Figures | None]] = {}
    targets = []
    for name in _there():
        ours[name] = [_said("benchmarks.judged", name, n) for n in sizes]
        beside = installed("ray") and name not in PEERLESS
        rays[name] = [_said("benchmarks.sides.judged_by_ray", name, n) if beside else None for n in sizes]
        targets += _targets(name, ours[name], rays[name])
    return {"luthier": ours, "ray": rays, "ratios": {}, "targets": targets}


def _there() -> list[str]:
    from luthier.tune.schedulers import NAMES

    return [name for name in MOST_US if name in NAMES]


def _said(module: str, name: str, trials: int) -> Figures:
    found: Figures = json.loads(gauged([sys.executable, "-m", module, name, str(trials)])["said"])
    return rounded(found)


def _targets(name: str, ours: list[Figures], ray: list[Figures | None]) -> list[Target]:
    most = MOST_US[name]
    growth = ours[-1]["policy_us"] / ours[0]["policy_us"]
    engine = max(found["engine_us"] for found in ours)
    return [
        *(
            Target(
                f"{name}: {found['trials']} trials, CPU us a result",
                found["policy_us"],
                most,
                ray=value(r, "policy_us"),
            )
            for found, r in zip(ours, ray, strict=True)
        ),
        Target(f"{name}: at the most trials, of that at the fewest", growth, GROWTH),
        Target(f"{name}: engine, policy, simulator, CPU us a result", engine, ENGINE_US),
        Target(
            f"{name}: choice of the next trial, CPU us", ours[-1]["pick_us"], PICK_US, ray=value(ray[-1], "pick_us")
        ),
    ]
