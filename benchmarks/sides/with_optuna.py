"""The workloads on Optuna, which runs trials one after another in the process that calls it."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import optuna

if TYPE_CHECKING:
    from collections.abc import Callable

JOURNAL, MEMORY, SQLITE = "journal", "memory", "sqlite"


def quickstart(storage: str) -> Callable[[int, str], dict[str, Any]]:
    """4 trials over a grid and the best config."""

    def objective(trial):
        return trial.suggest_categorical("a", [0.001, 0.01, 0.1, 1.0]) ** 2 + trial.suggest_int("b", 1, 3)

    def run(n: int, folder: str) -> dict[str, Any]:
        start = time.perf_counter()
        sampler = optuna.samplers.BruteForceSampler()
        study = optuna.create_study(storage=_storage(storage, folder), sampler=sampler)
        study.optimize(objective, n_trials=4)
        return _done(len(study.trials), 4, start, best=study.best_params)

    return run


def trials(storage: str) -> Callable[[int, str], dict[str, Any]]:
    """As many trivial trials as asked for, drawn at random."""

    def objective(trial):
        return trial.suggest_float("x", 0.0, 1.0)

    def run(n: int, folder: str) -> dict[str, Any]:
        start = time.perf_counter()
        sampler = optuna.samplers.RandomSampler(seed=1)
        study = optuna.create_study(storage=_storage(storage, folder), sampler=sampler)
        study.optimize(objective, n_trials=n)
        return _done(len(study.trials), n, start)

    return run


def reports(storage: str) -> Callable[[int, str], dict[str, Any]]:
    """One trial that reports as often as asked for."""

    def run(n: int, folder: str) -> dict[str, Any]:
        def objective(trial):
            x = trial.suggest_float("x", 0.0, 1.0)
            for i in range(n):
                trial.report(x / (i + 1), i)
            return x

        start = time.perf_counter()
        study = optuna.create_study(storage=_storage(storage, folder), sampler=optuna.samplers.RandomSampler(seed=1))
        study.optimize(objective, n_trials=1)
        done = _done(len(study.trials[0].intermediate_values), n, start)
        return {**done, "count": n}

    return run


def dataframe(n: int, folder: str) -> dict[str, Any]:
    """Make a table of *n* trials in memory, with 10 results each."""
    lr, layers = optuna.distributions.FloatDistribution(0.0, 1.0), optuna.distributions.IntDistribution(1, 7)
    study = optuna.create_study()
    study.add_trials(
        optuna.trial.create_trial(
            params={"lr": (i % 97) / 97, "layers": 1 + i % 7},
            distributions={"lr": lr, "layers": layers},
            user_attrs={"accuracy": 0.5, "width": 64, "act": "relu"},
            intermediate_values={step: 1.0 / (step + 1) for step in range(10)},
            value=0.1,
        )
        for i in range(n)
    )
    start = time.perf_counter()
    return _done(len(study.trials_dataframe()), n, start)


def _storage(kind: str, folder: str) -> Any:
    if kind == JOURNAL:
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        return JournalStorage(JournalFileBackend(os.path.join(folder, "journal.log")))
    return f"sqlite:///{folder}/optuna.db" if kind == SQLITE else None


def _done(count: int, wanted: int, start: float, **more: Any) -> dict[str, Any]:
    wall = time.perf_counter() - start
    if count != wanted:
        raise SystemExit(f"{count} of {wanted}")
    return {"count": count, "wall_s": wall, **more}


WORKLOADS: dict[str, Callable[[int, str], dict[str, Any]]] = {
    "quickstart": quickstart(MEMORY),
    "quickstart-sqlite": quickstart(SQLITE),
    "memory": trials(MEMORY),
    "journal": trials(JOURNAL),
    "reports": reports(JOURNAL),
    "dataframe": dataframe,
}

if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print("\n" + json.dumps(WORKLOADS[sys.argv[1]](int(sys.argv[2]), sys.argv[3])), flush=True)
