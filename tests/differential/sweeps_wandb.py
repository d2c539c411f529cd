"""The ``sweeps`` package (0.3.0, W&B's engine) on grids, distributions and random streams of results.

Prints JSON: ``grids`` as ``[configuration, its points]``; ``quantiles`` as ``[parameter, [[u, value], ...]]``;
``stopping`` as cases with ``early`` (the ``early_terminate`` section), ``goal``, ``rows`` as ``[run, value or None]``
(None: a row without the metric; "end": the run ends) and ``stopped``: for each row, which runs are to stop after it.

It runs in an environment with ``sweeps``, numpy and scipy:

    python -m tests.differential.sweeps_wandb > tests/differential/golden/sweeps.json
"""

from __future__ import annotations

import json
import random
from typing import Any

CASES, SEED = 60, 1

GRIDS: list[dict[str, Any]] = [
    {"a": {"values": [1, 2, 3]}},
    {"a": {"values": [1, 1.0, "1", True, 2]}},
    {"a": {"value": 7}},
    {"a": {"value": 7}, "b": {"values": ["x", "y"]}},
    {"a": {"min": 2, "max": 5}, "b": {"values": [None, False]}},
    {"a": {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.25}},
    {"a": {"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.1}},
    {"a": {"distribution": "q_uniform", "min": 1, "max": 1.3, "q": 0.1}},
    {"a": {"distribution": "q_uniform", "min": 0, "max": 10, "q": 3}},
    {"a": {"distribution": "q_uniform", "min": 0, "max": 9, "q": 3}},
    {"a": {"distribution": "q_uniform", "min": 0.05, "max": 0.95, "q": 0.3}},
    {"a": {"distribution": "q_uniform", "min": 0, "max": 3}},
    {"a": {"distribution": "int_uniform", "min": -1, "max": 1}, "b": {"values": [[1, 2], {"k": 1}]}},
    {"net": {"parameters": {"depth": {"values": [1, 2]}, "head": {"parameters": {"width": {"min": 8, "max": 9}}}}}},
    {"net": {"parameters": {"kind": {"value": "mlp"}}}, "lr": {"values": [0.1, 0.01, 0.001]}},
]

PARAMETERS: list[dict[str, Any]] = [
    {"min": 0.5, "max": 2.5},
    {"min": 3, "max": 9},
    {"values": ["a", "b", "c"]},
    {"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.25},
    {"distribution": "q_uniform", "min": 0, "max": 100, "q": 10},
    {"distribution": "q_uniform", "min": 0, "max": 100},
    {"distribution": "log_uniform_values", "min": 1e-4, "max": 0.1},
    {"distribution": "inv_log_uniform_values", "min": 1e-4, "max": 0.1},
    {"distribution": "q_log_uniform_values", "min": 1, "max": 1000, "q": 1},
    {"distribution": "q_log_uniform_values", "min": 0.5, "max": 8.0, "q": 0.5},
    {"distribution": "log_uniform", "min": -5, "max": 0},
    {"distribution": "inv_log_uniform", "min": 0, "max": 5},
    {"distribution": "q_log_uniform", "min": 0, "max": 5, "q": 1},
    {"distribution": "normal"},
    {"distribution": "normal", "mu": 10, "sigma": 2},
    {"distribution": "q_normal", "mu": 10, "sigma": 2, "q": 0.5},
    {"distribution": "q_normal", "mu": 10, "sigma": 20, "q": 5},
    {"distribution": "log_normal", "mu": 1, "sigma": 0.5},
    {"distribution": "q_log_normal", "mu": 1, "sigma": 2, "q": 1},
    {"distribution": "beta"},
    {"distribution": "beta", "a": 2, "b": 5},
    {"distribution": "q_beta", "a": 2, "b": 5, "q": 0.1},
]
UNITS = [0.003, 0.017, 0.11, 0.23, 0.37, 0.5003, 0.61, 0.7301, 0.89, 0.953, 0.9971]


def plain(value: Any) -> Any:
    """Return *value* without numpy."""
    return value.item() if hasattr(value, "item") else value


def points(parameters: dict[str, Any]) -> list[Any]:
    """Return all points of a grid."""
    import sweeps

    runs = sweeps.next_runs({"method": "grid", "parameters": parameters}, [], n=1000)
    return [{name: part["value"] for name, part in run.config.items()} for run in runs if run is not None]


def quantiles(parameter: dict[str, Any]) -> list[Any]:
    """Return values by the share of draws below them."""
    from sweeps.params import HyperParameter

    return [[u, plain(HyperParameter("p", parameter).ppf(u))] for u in UNITS]


def stopping(chance: random.Random) -> dict[str, Any]:
    """Return a stream of results, and whom the engine wants to stop after each."""
    import sweeps

    early: dict[str, Any] = {"type": "hyperband", "strict": chance.random() < 0.5}
    if chance.random() < 0.6:
        early["min_iter"] = chance.choice([1, 2, 3])
    else:
        early |= {"max_iter": chance.choice([9, 16, 27]), "s": chance.choice([1, 2, 3, 9])}
    if chance.random() < 0.7:
        early["eta"] = chance.choice([1.5, 2, 3, 4])
    goal = chance.choice(["minimize", "maximize"])
    config = {
        "method": "random",
        "metric": {"name": "loss", "goal": goal},
        "early_terminate": early,
        "parameters": {"x": {"min": 0.0, "max": 1.0}},
    }
    count, length = chance.choice([2, 3, 6, 12]), chance.choice([5, 12, 30])
    runs = [sweeps.SweepRun(name=str(k), state=sweeps.RunState.running) for k in range(count)]
    draw = chance.choice([lambda: round(chance.gauss(0, 1), 3), lambda: chance.choice([0.25, 0.5, 1.0])])
    rows: list[Any] = []
    stopped: list[list[int]] = []
    alive = list(range(count))
    while alive:
        k = chance.choice(alive[: chance.choice([2, 4, 99])])
        run = runs[k]
        if len(run.history) >= length:
            run.state = sweeps.RunState.finished
            alive.remove(k)
            rows.append([k, "end"])
            stopped.append([])
            continue
        value = None if chance.random() < 0.05 else float("nan") if chance.random() < 0.03 else draw()
        run.history.append({"other": 1} if value is None else {"loss": value})
        rows.append([k, value])
        found = sweeps.stop_runs(config, runs)
        for other in found:
            other.state = sweeps.RunState.killed
            alive.remove(int(other.name))
        stopped.append(sorted(int(other.name) for other in found))
    return {"early": early, "goal": goal, "rows": rows, "stopped": stopped}


def main() -> None:
    """Print the recording."""
    import sweeps

    head = {"script": "tests/differential/sweeps_wandb.py", "sweeps": sweeps.__version__, "seed": SEED}
    parts: dict[str, list[Any]] = {
        "grids": [[parameters, points(parameters)] for parameters in GRIDS],
        "quantiles": [[parameter, quantiles(parameter)] for parameter in PARAMETERS],
        "stopping": [stopping(random.Random(f"{SEED}/{number}")) for number in range(CASES)],
    }
    lines = [f'"{key}": [\n' + ",\n".join(map(json.dumps, cases)) + "\n]" for key, cases in parts.items()]
    print(json.dumps(head)[:-1] + ", " + ",\n".join(lines) + "}")


if __name__ == "__main__":
    main()
