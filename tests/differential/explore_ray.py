"""What Ray's PBT makes of a config: all that comes of many draws.

A case holds a ``config``, ``mutations`` as ``[kind, ...]`` by name (``["list", options]``, ``["uniform", low,
high]``, ``["choice", options]``, ``["function", value]``, ``["dict", {...}]``), the ``resample`` probability (0 or
1), the ``factors``, and ``outcomes``: for each name (nested ones joined by ``/``) the sorted pairs of operation and
new value, or where it is drawn from a range, of operation and type.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.differential import recording

if TYPE_CHECKING:
    import random

DRAWS = 150


def make_mutation(chance: random.Random, depth: int = 0) -> tuple[Any, Any]:
    """Return a mutation, and a value of its hyperparameter."""
    kind = chance.choice(["list", "list", "uniform", "choice", "function", "dict" if depth < 2 else "list"])
    if kind == "list":
        options: list[Any] = chance.choice(
            [[1, 2, 4, 8], ["relu", "tanh", "elu"], [0.1], [True, False], [None, 3, "x"]]
        )
        return [kind, options], chance.choice([*options, "elsewhere"])
    if kind == "uniform":
        return [kind, 0.5, 2.0], chance.choice([1.5, 1, 7, 0.001, True])
    if kind == "choice":
        return [kind, [1, 10, 100]], chance.choice([1, 10, 100, 7.5])
    if kind == "function":
        value = chance.choice([0.25, 3, False])
        return [kind, value], chance.choice([0.5, 4, True])
    parts = {name: make_mutation(chance, depth + 1) for name in chance.sample(["u", "v", "w"], 2)}
    return [kind, {k: m for k, (m, _) in parts.items()}], {**{k: v for k, (_, v) in parts.items()}, "kept": 1}


def outcome(mutation: list[Any], operation: str, value: Any) -> str:
    """Return what came of one hyperparameter, as text that can be compared."""
    drawn = mutation[0] == "uniform" and operation == "resample"
    return json.dumps([operation, type(value).__name__ if drawn else value])


def flat(mutations: dict[str, Any], where: str = "") -> dict[str, list[Any]]:
    """Return the mutations of single hyperparameters by their paths."""
    found: dict[str, list[Any]] = {}
    for name, mutation in mutations.items():
        if mutation[0] == "dict":
            found |= flat(mutation[1], f"{where}{name}/")
        else:
            found[f"{where}{name}"] = mutation
    return found


def at(nested: Any, path: str) -> Any:
    """Return what lies at *path*."""
    for name in path.split("/"):
        nested = nested[name]
    return nested


def make_case(chance: random.Random) -> dict[str, Any]:
    import random as everybodys

    from ray import tune
    from ray.tune.schedulers.pbt import _explore

    everybodys.seed(chance.getrandbits(32))

    def theirs(mutation: list[Any]) -> Any:
        match mutation:
            case ["list", options]:
                return options
            case ["uniform", low, high]:
                return tune.uniform(low, high)
            case ["choice", options]:
                return tune.choice(options)
            case ["function", value]:
                return lambda: value
            case ["dict", inner]:
                return {name: theirs(m) for name, m in inner.items()}
        raise AssertionError(mutation)

    parts = {name: make_mutation(chance) for name in ("a", "b")}
    mutations, config = {k: m for k, (m, _) in parts.items()}, {k: v for k, (_, v) in parts.items()}
    resample, factors = chance.choice([0, 1]), chance.choice([[1.2, 0.8], [2.0], [0.5, 3]])
    outcomes: dict[str, set[str]] = {path: set() for path in flat(mutations)}
    described = {name: theirs(mutation) for name, mutation in mutations.items()}
    for _ in range(DRAWS):
        new, operations = _explore(config, described, resample, tuple(factors), None)
        for path, mutation in flat(mutations).items():
            outcomes[path].add(outcome(mutation, at(operations, path), at(new, path)))
    return {
        "config": config, "mutations": mutations, "resample": resample, "factors": factors,
        "outcomes": {path: sorted(found) for path, found in outcomes.items()},
    }  # fmt: skip


recording.main(__name__, __file__, make_case)
