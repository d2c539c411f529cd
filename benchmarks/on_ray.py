"""Luthier on Ray beside Ray Tune, on the same cluster."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Figures, environment, gauged, installed, medians, ratio, rounded, scratch, value
from benchmarks.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

STORE = 100 << 20  # bytes
# What both sides do: trials or reports, and how often that is measured.
SIZES = {"quickstart": (4, 5), "fresh": (16, 3), "reused": (100, 3), "reports": (1000, 3), "one": (1000, 3)}
QUICK = {"quickstart": (4, 1), "fresh": (4, 1), "reused": (6, 1), "reports": (20, 1), "one": (20, 1)}


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it; nothing without Ray Tune, which is what it is compared with."""
    if not installed("ray"):
        return {"luthier": None, "ray": None, "ratios": {}, "targets": []}
    sizes = QUICK if quick else SIZES
    with _cluster() as address:
        found = {name: _both(name, *size, address) for name, size in sizes.items()}
        call = _measured("luthier", "call", 200 if quick else 2000, address)
    ours, theirs = ({name: sides[side] for name, sides in found.items()} for side in ("luthier", "ray"))
    above = ours["one"]["ms_each"] - call["ms_each"]
    return {
        "luthier": {**ours, "call": call},
        "ray": theirs,
        "ratios": {f"{name}_wall_of_ray": ratio(ours[name], theirs[name], "wall_s") for name in sizes},
        "targets": [
            _twice("trials/s, a fresh actor each", ours["fresh"], theirs["fresh"]),
            _twice("trials/s, actors reused", ours["reused"], theirs["reused"]),
            _twice("reports/s, 2 trials", ours["reports"], theirs["reports"]),
            Target(
                "quickstart on a running cluster, process, wall s",
                ours["quickstart"]["process_wall_s"],
                most=theirs["quickstart"]["process_wall_s"] / 2,
                wanted="<= Ray's / 2",
                ray=theirs["quickstart"]["process_wall_s"],
            ),
            Target("a report, above a call of an actor, ms", above, most=1.0, ray=_above(theirs["one"], call)),
        ],
    }


def _twice(what: str, ours: Figures, theirs: Figures) -> Target:
    ray = value(theirs, "per_s")
    return Target(what, ours["per_s"], least=2 * theirs["per_s"], wanted=">= 2 x Ray's", ray=ray)


def _above(figures: Figures, call: Figures) -> float:
    return float(figures["ms_each"] - call["ms_each"])


def _both(name: str, n: int, repeats: int, address: str) -> dict[str, Figures]:
    """Return the medians of both sides, which take turns."""
    runs: dict[str, list[Figures]] = {"luthier": [], "ray": []}
    for _ in range(repeats):
        for side, so_far in runs.items():
            so_far.append(_measured(side, name, n, address))
    return {side: rounded({**medians(found), "count": found[0]["count"]}) for side, found in runs.items()}


def _measured(side: str, name: str, n: int, address: str) -> Figures:
    folder = tempfile.mkdtemp(dir=scratch())
    found = gauged([sys.executable, "-m", "benchmarks.sides.on_ray", side, name, str(n), folder, address])
    said = json.loads(found.pop("said"))
    return {**found, "process_wall_s": found["wall_s"], **said, "per_s": said["count"] / said["wall_s"]}


@contextlib.contextmanager
def _cluster() -> Iterator[str]:
    """Start a cluster of one node with two CPUs; give its address."""
    from ray.cluster_utils import Cluster

    former = dict(os.environ)
    os.environ.update(environment())  # whatever runs in it is of this checkout
    try:
        apart = {"temp_dir": tempfile.mkdtemp(dir=scratch())}  # from other clusters of this machine
        head = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": STORE, **apart}
        made = Cluster(initialize_head=True, head_node_args=head)
        try:
            _measured("luthier", "fresh", 2, made.address)  # so that all byte code is written
            _measured("ray", "fresh", 2, made.address)
            yield made.address
        finally:
            made.shutdown()
    finally:
        os.environ.clear()
        os.environ.update(former)
