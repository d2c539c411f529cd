"""Other libraries, each with the space in its own form: choices that hold axes are conditions in all three."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from luthier.core.space import Categorical, Float, Integer

if TYPE_CHECKING:
    from benchmarks.quality.tasks import Task


def optuna(task: Task, evaluations: int, seed: int) -> None:
    """Search with Optuna's TPE: multivariate, and grouped where axes have conditions."""
    import optuna as library

    library.logging.set_verbosity(library.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that being multivariate is an experiment
        grouped = task.kind != "continuous"
        sampler = library.samplers.TPESampler(seed=seed, multivariate=True, group=grouped)
        study = library.create_study(sampler=sampler)
        study.optimize(lambda trial: task.loss(_suggested(trial, task.space)), n_trials=evaluations)


def _suggested(trial: Any, space: Any, name: str = "") -> Any:
    if isinstance(space, dict):
        return {key: _suggested(trial, domain, f"{name}/{key}") for key, domain in space.items()}
    if isinstance(space, Float):
        return trial.suggest_float(name, space.lower, space.upper, log=space.log, step=space.q)
    if isinstance(space, Integer):
        return trial.suggest_int(name, space.lower, space.upper, log=space.log)
    if isinstance(space, Categorical):
        chosen = trial.suggest_categorical(name, list(range(len(space.options))))
        return _suggested(trial, space.options[chosen], f"{name}[{chosen}]")
    return space


def hyperopt(task: Task, evaluations: int, seed: int) -> None:
    """Search with HyperOpt's TPE."""
    import numpy as np
    from hyperopt import fmin, tpe

    fmin(
        task.loss, _expression(task.space), algo=tpe.suggest, max_evals=evaluations, rstate=np.random.default_rng(seed),
        show_progressbar=False, verbose=False,
    )  # fmt: skip


def _expression(space: Any, name: str = "") -> Any:
    from hyperopt import hp
    from hyperopt.pyll import scope

    if isinstance(space, dict):
        return {key: _expression(domain, f"{name}/{key}") for key, domain in space.items()}
    if isinstance(space, Float):
        if space.q:
            return hp.quniform(name, space.lower, space.upper, space.q)
        if space.log:
            return hp.loguniform(name, math.log(space.lower), math.log(space.upper))
        return hp.uniform(name, space.lower, space.upper)
    if isinstance(space, Integer):
        if space.log:
            low, high = math.log(space.lower - 0.49), math.log(space.upper + 0.49)
            return scope.int(hp.qloguniform(name, low, high, 1))
        return scope.int(hp.uniformint(name, space.lower, space.upper))
    if isinstance(space, Categorical):
        return hp.choice(name, [_expression(option, f"{name}[{k}]") for k, option in enumerate(space.options)])
    return space


def nevergrad(task: Task, evaluations: int, seed: int) -> None:
    """Search with Nevergrad's NGOpt, which is told the budget."""
    import nevergrad as library
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the optimisers that it asks
        space = _parameters(task.space)
        space.random_state = np.random.RandomState(seed)
        np.random.seed(seed)  # noqa: NPY002 (some of them draw from the global one)
        library.optimizers.NGOpt(space, budget=evaluations, num_workers=1).minimize(task.loss)


def _parameters(space: Any) -> Any:
    from nevergrad import p

    if isinstance(space, dict):
        return p.Dict(**{key: _parameters(domain) for key, domain in space.items()})
    if isinstance(space, (Float, Integer)):
        low, high = space.lower, space.upper
        one = p.Log(lower=low, upper=high) if space.log else p.Scalar(lower=low, upper=high)
        return one.set_integer_casting() if isinstance(space, Integer) else one
    if isinstance(space, Categorical):
        return p.Choice([_parameters(option) for option in space.options])
    return space
