"""Restoring: from the driver's death to the next trial."""

from __future__ import annotations

from typing import Any

from benchmarks.measure import peer, ratio, value, workload
from benchmarks.target import Target

SMALL = 30  # trials that Ray has finished when it is killed: half a minute's work of its


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it, at the size that is the target and, beside Ray, at the size that Ray can be asked for."""
    ours = workload("luthier", "restore", 20 if quick else 1000, repeats=1 if quick else 5)
    small = workload("luthier", "restore", 3 if quick else SMALL, repeats=1 if quick else 5)
    ray = peer("ray", "restore", 3 if quick else SMALL, repeats=1 if quick else 3)
    again = value(ray, "ran_again")
    return {
        "luthier": ours,
        "luthier_small": small,
        "ray_small": ray,
        "ratios": {"wall_of_ray": ratio(small, ray, "wall_s")},
        "targets": [
            Target(f"{ours['count']} trials x 50 results, s to the next trial", ours["wall_s"], most=1.0),
            Target("... finished trials that ran again", ours["ran_again"], most=0),
            Target(f"{small['count']} trials x 50 results, s", small["wall_s"], most=1.0, ray=value(ray, "wall_s")),
            Target("... finished trials that ran again", small["ran_again"], most=0, ray=again),
        ],
    }
