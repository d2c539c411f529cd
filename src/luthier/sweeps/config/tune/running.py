"""``tune.run`` for sweeps."""

from __future__ import annotations

import os
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from luthier import __version__
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.sweeps.calls import encode
from luthier.sweeps.config.policy_class import policy_written
from luthier.sweeps.config.sweep_config import SweepConfig
from luthier.sweeps.domains import call_of
from luthier.sweeps.policy_form import space_in_own_words
from luthier.sweeps.signatures import meant
from luthier.sweeps.tune_form import RUN, UNUSED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def run(  # noqa: PLR0913 (Ray Tune's)
    run_or_experiment: str | os.PathLike[str] | None,
    name: str | None = None,
    stop: Mapping[str, float] | None = None,
    config: Mapping[str, Any] | None = None,
    resources_per_trial: Mapping[str, Any] | None = None,
    num_samples: int | None = None,
    *,
    search_alg: Any = None,
    scheduler: Any = None,
    metric: str | Sequence[str] | None = None,
    mode: str | Sequence[str] | None = None,
    max_failures: int | None = None,
    max_concurrent_trials: int | None = None,
    time_budget_s: float | timedelta | None = None,
    seed: int | None = None,
    **unsupported: Any,
) -> SweepConfig:
    """Return the sweep that runs a program with configs that a search algorithm chooses; nothing is started.

    Args:
        run_or_experiment: the script; None where agents are given a function.
        name: what people call the sweep.
        stop: a run ends once it reports one of these values: ``{"training_iteration": 10}``.
        config: the search space, or the constants beside the space of *search_alg*.
        resources_per_trial: what a run needs: ``{"cpu": 2, "gpu": 0.5}``.
        num_samples: how many configs to draw, or how often to walk a grid; None or -1 for no end (a grid that is not
            searched otherwise is walked once).
        search_alg: one of :mod:`luthier.sweeps.config.tune.search`, or its name; random and grid search where None.
        scheduler: one of :mod:`luthier.sweeps.config.tune.schedulers`, or its name.
        metric: what is optimised, where neither *search_alg* nor *scheduler* says so.
        mode: ``"min"`` or ``"max"``.
        max_failures: how often a run that fails is tried again; -1 for ever.
        max_concurrent_trials: how many runs there may be at a time, on all agents together.
        time_budget_s: seconds from the start of the first run after which the sweep and its runs end.
        seed: where chance starts; drawn where None, and written down.
        **unsupported: other arguments of Ray Tune's: an error says why a sweep has no use for them.

    Raises:
        BadArgument: for an argument that is unknown, cannot be used, or cannot be written into a file.

    >>> from luthier.sweeps.config import tune
    >>> sweep = tune.run("train.py", config={"lr": tune.loguniform(1e-4, 1e-1)}, metric="loss", mode="min", seed=7)
    >>> print(sweep["tune"]["config"])
    {'lr': {'tune.loguniform': [0.0001, 0.1]}}
    """
    for argument, value in unsupported.items():
        if argument not in UNUSED:
            raise BadArgument(f"tune.run.{argument}", value, meant(argument, RUN), "there is no such argument")
        if value is not None:
            raise BadArgument(f"tune.run.{argument}", value, "nothing", UNUSED[argument])
    if isinstance(time_budget_s, timedelta):
        time_budget_s = time_budget_s.total_seconds()
    kept = {"seed": random.getrandbits(32)} if seed is None else {}
    said = {
        "_wandb": {**kept, "versions": {"luthier": __version__}},
        "run_or_experiment": _program(run_or_experiment),
        "metric": metric,
        "mode": mode,
        "config": None if config is None else space_in_own_words("HyperOptSearch", config),
        "search_alg": policy_written("tune.run.search_alg", search_alg),
        "scheduler": policy_written("tune.run.scheduler", scheduler),
        "num_samples": num_samples,
        "stop": stop,
        "time_budget_s": time_budget_s,
        "resources_per_trial": resources_per_trial,
        "max_failures": max_failures,
        "max_concurrent_trials": max_concurrent_trials,
        "seed": seed,
    }
    tune = {key: encode(value, f"tune.run.{key}", call_of) for key, value in said.items() if value is not None}
    program = tune.get("run_or_experiment")
    made = SweepConfig({**({} if program is None else {"program": program}), "tune": tune})
    if name is not None:
        made.set_name(name)
    missing = [warning for warning in made.spec.warnings if ".mode is missing" in warning]
    if missing:
        raise BadArgument("tune.run.mode", None, "'min' or 'max'", "metric is given")
    return made


def _program(given: Any) -> str | None:
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, os.PathLike):
        return str(os.fspath(given))
    wanted = "the name of a script, or None and luthier.agent(sweep, function=...)"
    why = "a function cannot be written into a file" if callable(given) else ""
    raise BadArgumentType("tune.run.run_or_experiment", given, wanted, why)
