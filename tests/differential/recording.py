"""Plays cases to Ray and prints them: what all ``*_ray.py`` have in common.  Needs nothing but Python and Ray."""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Case = dict[str, Any]

CASES, SEED = 40, 1  # of what is committed


def chance_of(seed: int, number: int) -> random.Random:
    """Return the generator of a case: it depends on nothing but the seed and the case's number."""
    return random.Random(f"{seed}/{number}")


def main(module: str, file: str, make_case: Callable[[random.Random], Case]) -> None:
    """Print the recording as JSON, one case a line.  Does nothing where *module* is imported and not run."""
    if module != "__main__":
        return
    import ray

    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    head = {"script": f"tests/differential/{Path(file).name}", "ray": ray.__version__, "seed": given.seed}
    lines = [json.dumps(make_case(chance_of(given.seed, number))) for number in range(given.cases)]
    print(json.dumps(head)[:-1] + ', "cases": [\n' + ",\n".join(lines) + "\n]}")
