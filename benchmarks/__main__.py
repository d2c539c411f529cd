"""Runs the benchmarks: ``python -m benchmarks [--quick] [NAME...]``.

Each prints one line of JSON; at the end a table says which targets were reached.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks import (
    checkpoints,
    dataframe,
    looked_at,
    persist,
    quickstart,
    report,
    reports,
    restore,
    schedulers,
    searchers,
    service,
    simulating,
    startup,
    tracked,
    trials,
    wandb_server,
    wrapped,
)
from benchmarks.machine import facts
from benchmarks.measure import disk, installed
from benchmarks.target import table

if TYPE_CHECKING:
    from collections.abc import Sequence


class Benchmark(Protocol):
    """Measures, and says what is to be reached."""

    def __call__(self, *, quick: bool) -> dict[str, Any]: ...


BENCHMARKS: dict[str, Benchmark] = {
    "startup": startup.bench,
    "quickstart": quickstart.bench,
    "fresh": trials.fresh,
    "reused": trials.reused,
    "inline": trials.inline,
    "reports": reports.bench,
    "checkpoints": checkpoints.bench,
    "simulate": simulating.bench,
    "schedulers": schedulers.bench,
    "restore": restore.bench,
    "persist": persist.bench,
    "dataframe": dataframe.bench,
    "report": report.bench,
    "wrapped": wrapped.bench,
    "searchers": searchers.bench,
    "wandb": tracked.bench,
    "pages": looked_at.bench,
    "service": service.bench,
    "wandb-server": wandb_server.bench,
}


def run(name: str, *, quick: bool) -> dict[str, Any]:
    """Return the line of one benchmark."""
    machine = {**facts(), "us_per_directory_of_4_files": disk()}
    line = {"benchmark": name, "quick": quick, **BENCHMARKS[name](quick=quick)}
    line["targets"] = [target.as_json() for target in line["targets"]]
    return {**line, "machine": machine}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(BENCHMARKS)}; else all")
    parser.add_argument("--quick", action="store_true", help="small sizes: whether it runs, not how fast")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark is called {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    missing = [side for side in ("ray", "optuna") if not installed(side)]
    if missing:
        print(f"not installed here, so not measured: {', '.join(missing)} (make bench installs them)", file=sys.stderr)
    lines = []
    for name in given.names or BENCHMARKS:
        lines.append(run(name, quick=given.quick))
        print(json.dumps(lines[-1]), flush=True)
    print()
    print(table(lines))
    if given.quick:
        print("\nSmall sizes: these figures say that it runs, not how fast.")


if __name__ == "__main__":
    main()
