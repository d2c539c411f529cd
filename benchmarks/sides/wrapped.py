"""Suggestions of a library, by itself and through our search algorithm, in turns: ``LIBRARY TOLD ASKED``."""

from __future__ import annotations

import json
import statistics
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def loss(config: dict[str, Any]) -> float:
    return float(sum(config[f"x{i}"] for i in range(4)) + config["n0"] / 50 + (config["c0"] == "a"))


def bare_optuna() -> Callable[[], float]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1, constant_liar=True))
    d = optuna.distributions
    space: dict[str, Any] = {f"x{i}": d.FloatDistribution(0.0, 1.0) for i in range(4)}
    space |= {f"l{i}": d.FloatDistribution(1e-4, 1.0, log=True) for i in range(2)}
    space |= {f"n{i}": d.IntDistribution(1, 50) for i in range(2)}
    space |= {f"c{i}": d.CategoricalDistribution(["a", "b", "c"]) for i in range(2)}

    def turn() -> float:
        start = time.process_time()
        trial = study.ask(space)
        value = loss(trial.params)
        study.tell(trial, value)
        return time.process_time() - start

    return turn


def bare_hyperopt() -> Callable[[], float]:
    import hyperopt
    from hyperopt import hp, tpe
    from hyperopt.base import JOB_STATE_DONE, spec_from_misc

    space: dict[str, Any] = {f"x{i}": hp.uniform(f"x{i}", 0.0, 1.0) for i in range(4)}
    space |= {f"l{i}": hp.loguniform(f"l{i}", -9.21, 0.0) for i in range(2)}
    space |= {f"n{i}": hp.quniform(f"n{i}", 0.5, 50.5, 1.0) for i in range(2)}
    space |= {f"c{i}": hp.choice(f"c{i}", ["a", "b", "c"]) for i in range(2)}
    domain, trials = hyperopt.Domain(None, space, pass_expr_memo_ctrl=False), hyperopt.Trials()
    count = [0]

    def turn() -> float:
        start = time.process_time()
        count[0] += 1
        documents = tpe.suggest(trials.new_trial_ids(1), domain, trials, count[0], verbose=False)
        trials.insert_trial_docs(documents)
        trials.refresh()
        document = trials.trials[-1]
        config = hyperopt.space_eval(space, spec_from_misc(document["misc"]))
        document["state"], document["result"] = JOB_STATE_DONE, {"status": "ok", "loss": loss(config)}
        return time.process_time() - start

    return turn


def bare_bayesopt() -> Callable[[], float]:
    """Return a turn of the library with numbers only: its integers and categories take it ten times as long."""
    import warnings

    from bayes_opt import BayesianOptimization

    names = [*(f"x{i}" for i in range(4)), "l0", "l1", "n0", "n1", *(f"c{i}{o}" for i in range(2) for o in "abc")]
    optimizer = BayesianOptimization(None, dict.fromkeys(names, (0.0, 1.0)), random_state=1, verbose=0)
    count = [0]

    def turn() -> float:
        start = time.process_time()
        count[0] += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            point = optimizer.suggest() if count[0] > 10 else optimizer.random_sample(1)[0]
        config = {**point, "n0": 1 + int(point["n0"] * 50), "c0": max("abc", key=lambda o: point[f"c0{o}"])}
        optimizer.register(point, -loss(config))
        return time.process_time() - start

    return turn


def bare_skopt() -> Callable[[], float]:
    """Return a turn of the library with one of the three acquisition functions that its default draws from."""
    import skopt
    from skopt.space import Categorical, Integer, Real

    dimensions: list[Any] = [Real(0.0, 1.0, name=f"x{i}") for i in range(4)]
    dimensions += [Real(1e-4, 1.0, "log-uniform", name=f"l{i}") for i in range(2)]
    dimensions += [Integer(1, 50, name=f"n{i}") for i in range(2)]
    dimensions += [Categorical(["a", "b", "c"], name=f"c{i}") for i in range(2)]
    optimizer = skopt.Optimizer(dimensions, random_state=1, acq_func="EI")

    def turn() -> float:
        start = time.process_time()
        point = optimizer.ask()
        optimizer.tell(point, loss({d.name: value for d, value in zip(dimensions, point, strict=True)}))
        return time.process_time() - start

    return turn


def bare_ax() -> Callable[[], float]:
    import logging
    import warnings

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    from ax.service.ax_client import AxClient
    from ax.service.utils.instantiation import ObjectiveProperties

    parameters: list[dict[str, Any]] = [{"name": f"x{i}", "type": "range", "bounds": [0.0, 1.0]} for i in range(4)]
    parameters += [{"name": f"l{i}", "type": "range", "bounds": [1e-4, 1.0], "log_scale": True} for i in range(2)]
    parameters += [{"name": f"n{i}", "type": "range", "bounds": [1, 50]} for i in range(2)]
    parameters += [{"name": f"c{i}", "type": "choice", "values": ["a", "b", "c"]} for i in range(2)]
    client = AxClient(random_seed=1, verbose_logging=False)
    client.create_experiment(parameters=parameters, objectives={"loss": ObjectiveProperties(minimize=True)})

    def turn() -> float:
        start = time.process_time()
        config, number = client.get_next_trial()
        client.complete_trial(number, raw_data={"loss": (loss(config), None)})
        return time.process_time() - start

    return turn


def bare_zoopt() -> Callable[[], float]:
    """ZOOpt's loop as it is, a part of its 260 evaluations: what it has for asking stands still one trial at a time."""
    from zoopt import Dimension2, Objective, Opt, Parameter, Solution, ValueType

    dimensions: list[Any] = [(ValueType.CONTINUOUS, [0.0, 1.0], 1e-12)] * 6
    dimensions += [(ValueType.DISCRETE, [1, 50], True)] * 2 + [(ValueType.DISCRETE, [0, 2], False)] * 2
    ends: list[float] = []

    def evaluated(solution: Solution) -> float:
        x = solution.get_x()
        ends.append(time.process_time())
        return loss({f"x{i}": x[i] for i in range(4)} | {"n0": x[6], "c0": "abc"[x[8]]})

    Opt.min(Objective(evaluated, Dimension2(dimensions)), Parameter(budget=260, seed=1))
    turns = iter([later - sooner for sooner, later in pairwise(ends)] * 2)
    return lambda: next(turns)


def bare_nevergrad() -> Callable[[], float]:
    import nevergrad as ng

    p = ng.p
    space: dict[str, Any] = {f"x{i}": p.Scalar(lower=0.0, upper=1.0) for i in range(4)}
    space |= {f"l{i}": p.Log(lower=1e-4, upper=1.0) for i in range(2)}
    space |= {f"n{i}": p.Scalar(lower=1, upper=50).set_integer_casting() for i in range(2)}
    space |= {f"c{i}": p.Choice(["a", "b", "c"]) for i in range(2)}
    optimizer = ng.optimizers.NGOpt(p.Dict(**space), budget=100, num_workers=2)

    def turn() -> float:
        start = time.process_time()
        candidate = optimizer.ask()
        optimizer.tell(candidate, loss(candidate.value))
        return time.process_time() - start

    return turn


def bare_hebo() -> Callable[[], float]:
    import numpy as np
    from hebo.design_space.design_space import DesignSpace
    from hebo.optimizers.hebo import HEBO

    space: list[dict[str, Any]] = [{"name": f"x{i}", "type": "num", "lb": 0.0, "ub": 1.0} for i in range(4)]
    space += [{"name": f"l{i}", "type": "pow", "lb": 1e-4, "ub": 1.0} for i in range(2)]
    space += [{"name": f"n{i}", "type": "int", "lb": 1, "ub": 50} for i in range(2)]
    space += [{"name": f"c{i}", "type": "cat", "categories": ["a", "b", "c"]} for i in range(2)]
    optimizer = HEBO(DesignSpace().parse(space), scramble_seed=1)

    def turn() -> float:
        start = time.process_time()
        found = optimizer.suggest(1)
        optimizer.observe(found, np.array([[loss(found.iloc[0].to_dict())]]))
        return time.process_time() - start

    return turn


def ours(library: str) -> Callable[[], float]:
    from luthier import tune
    from luthier.tune.searching import create_searcher

    space: dict[str, Any] = {f"x{i}": tune.uniform(0.0, 1.0) for i in range(4)}
    space |= {f"l{i}": tune.loguniform(1e-4, 1.0) for i in range(2)}
    space |= {f"n{i}": tune.randint(1, 51) for i in range(2)}
    space |= {f"c{i}": tune.choice(["a", "b", "c"]) for i in range(2)}
    more: dict[str, Any] = {"dim_dict": space, "budget": 260} if library == "zoopt" else {"space": space}
    more |= {"skip_duplicate": False} if library == "bayesopt" else {}  # or it would be over where it has converged
    searcher = create_searcher(library, metric="loss", mode="min", **more)
    count = [0]

    def turn() -> float:
        start = time.process_time()
        count[0] += 1
        config = searcher.suggest(f"t{count[0]}")
        searcher.on_trial_complete(f"t{count[0]}", {"loss": loss(config)})
        return time.process_time() - start

    return turn


if __name__ == "__main__":
    library, told, asked = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    bare = {"optuna": bare_optuna, "hyperopt": bare_hyperopt, "bayesopt": bare_bayesopt, "skopt": bare_skopt}
    bare |= {"ax": bare_ax, "zoopt": bare_zoopt, "nevergrad": bare_nevergrad, "hebo": bare_hebo}
    sides = {"bare": bare[library](), "luthier": ours(library)}
    for side in sides.values():
        for _ in range(told):
            side()
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(asked):
        for name, side in sides.items():
            times[name].append(side())
    found = {f"{name}_ms": 1e3 * statistics.median(seconds) for name, seconds in times.items()}
    print(json.dumps({**found, "ratio": found["luthier_ms"] / found["bare_ms"]}))
