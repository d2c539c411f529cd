"""What a suggestion takes, ours and other libraries': ``SIDE TOLD ASKED`` prints one line of JSON.

A space of ten axes: four floats, two on a logarithmic scale, two integers, two choices.  For Gaussian processes:
Hartmann's function of six floats.  TOLD results are given at once; then ASKED times a point is asked for, evaluated
and told.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

from benchmarks.quality.functions import box, hartmann6
from luthier.core import events as ev
from luthier.core.engine import NEWS
from luthier.core.goal import Goal
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Integer, Space
from luthier.core.state import ExperimentState, evolve
from luthier.core.terms import Outcome, Status, TrialId, WorkerId

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.core.policy import Searcher
    from luthier.core.terms import Config

    Turn = Callable[[], None]

MIXED = Space(
    {
        **{f"x{i}": Float(0.0, 1.0) for i in range(4)},
        **{f"l{i}": Float(1e-4, 1.0, log=True) for i in range(2)},
        **{f"n{i}": Integer(1, 50) for i in range(2)},
        **{f"c{i}": Categorical(["a", "b", "c"]) for i in range(2)},
    }
)
NUMBERS = Space(box(6, 0.0, 1.0))


def loss(config: Config) -> float:
    """Return a loss that searches can learn."""
    if len(config) == len(NUMBERS):
        return hartmann6(config)
    return float(
        sum((config[name] - 0.3) ** 2 for name in config if name[0] in "xl")
        + sum(config[name] / 50 + (config[f"c{name[1:]}"] == "a") for name in config if name[0] == "n")
    )


def past(space: Space, told: int) -> list[tuple[Config, float]]:
    """Return the results that are there at first."""
    configs = [space.sample(rng_at(1, number)) for number in range(told)]
    return [(config, loss(config)) for config in configs]


class Ours:
    """One of our searchers, told by the events that an engine would tell it."""

    def __init__(self, searcher: Searcher) -> None:
        self.searcher, self.state, self.count = searcher, ExperimentState((Goal("loss", "min"),)), 0
        self._hear(ev.WorkerJoined(WorkerId("w"), {"cpu": 1.0}))

    def tell(self, config: Config, value: float) -> None:
        """Let a trial be proposed, run, and end."""
        trial, number = TrialId(f"t{self.count}"), self.count
        self.count += 1
        self._hear(ev.Proposed(trial, number, config, {"cpu": 1.0}))
        self._hear(ev.Launched(trial, 1, WorkerId("w"), config, {"cpu": 1.0}))
        self._hear(ev.Reported(trial, 1, 0, {"loss": value}))
        self._hear(ev.Exited(trial, 1, Outcome.FINISHED))
        self._hear(ev.Ended(trial, Status.DONE))

    def turn(self) -> None:
        """Ask, evaluate, tell."""
        config = self.searcher.ask(self.count, rng_at(0, self.count))
        if isinstance(config, Nothing):
            raise SystemExit("nothing was proposed")
        self.tell(config, loss(config))

    def _hear(self, event: Any) -> None:
        evolve(self.state, event)
        if isinstance(event, NEWS):
            self.searcher.tell(event, self.state)


def luthier_tpe(told: int) -> Turn:
    """Return a turn of our TPE."""
    from luthier.search.tpe import Tpe

    return _begun(Ours(Tpe(MIXED)), past(MIXED, told))


def luthier_gp(told: int) -> Turn:
    """Return a turn of our Gaussian process."""
    from luthier.search.gp import Gp

    return _begun(Ours(Gp(NUMBERS)), past(NUMBERS, told))


def _begun(ours: Ours, results: list[tuple[Config, float]]) -> Turn:
    for config, value in results:
        ours.tell(config, value)
    return ours.turn


def optuna_tpe(told: int) -> Turn:
    """Return a turn of Optuna's multivariate TPE."""
    import optuna

    return _optuna(optuna.samplers.TPESampler(seed=1, multivariate=True), MIXED, told)


def optuna_gp(told: int) -> Turn:
    """Return a turn of Optuna's Gaussian process."""
    import optuna

    return _optuna(optuna.samplers.GPSampler(seed=1), NUMBERS, told)


def _optuna(sampler: Any, space: Space, told: int) -> Turn:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=sampler)
    domains: dict[str, Any] = {}
    for axis in space.axes:
        domain = axis.domain
        if isinstance(domain, Categorical):
            domains[axis.name] = optuna.distributions.CategoricalDistribution(domain.options)
        elif isinstance(domain, Integer):
            domains[axis.name] = optuna.distributions.IntDistribution(domain.lower, domain.upper)
        elif isinstance(domain, Float):
            domains[axis.name] = optuna.distributions.FloatDistribution(domain.lower, domain.upper, log=domain.log)
    study.add_trials(
        [
            optuna.trial.create_trial(params=config, distributions=domains, value=value)
            for config, value in past(space, told)
        ]
    )

    def turn() -> None:
        trial = study.ask(domains)
        study.tell(trial, loss(trial.params))

    return turn


def hyperopt_tpe(told: int) -> Turn:
    """Return a turn of HyperOpt's TPE."""
    import hyperopt
    from hyperopt import hp, tpe
    from hyperopt.base import JOB_STATE_DONE, spec_from_misc

    space: dict[str, Any] = {f"x{i}": hp.uniform(f"x{i}", 0.0, 1.0) for i in range(4)}
    space |= {f"l{i}": hp.loguniform(f"l{i}", -9.21, 0.0) for i in range(2)}
    space |= {f"n{i}": hp.uniformint(f"n{i}", 1, 50) for i in range(2)}
    space |= {f"c{i}": hp.choice(f"c{i}", ["a", "b", "c"]) for i in range(2)}
    domain, trials = hyperopt.Domain(None, space, pass_expr_memo_ctrl=False), hyperopt.Trials()

    def insert(documents: list[Any], results: list[float]) -> None:
        for document, value in zip(documents, results, strict=True):
            document["state"], document["result"] = JOB_STATE_DONE, {"status": "ok", "loss": value}
        trials.insert_trial_docs(documents)
        trials.refresh()

    options = ["a", "b", "c"]
    numbers, documents, results = trials.new_trial_ids(told), [], []
    for number, (config, value) in zip(numbers, past(MIXED, told), strict=True):
        known = {name: options.index(v) if name[0] == "c" else v for name, v in config.items()}
        misc = {"tid": number, "cmd": None, "idxs": {name: [number] for name in known}}
        misc["vals"] = {name: [v] for name, v in known.items()}
        documents += trials.new_trial_docs([number], [None], [{"status": "new"}], [misc])
        results.append(value)
    insert(documents, results)
    count = [0]

    def turn() -> None:
        count[0] += 1
        proposed = tpe.suggest(trials.new_trial_ids(1), domain, trials, count[0], verbose=False)
        config = hyperopt.space_eval(space, spec_from_misc(proposed[0]["misc"]))
        insert(proposed, [loss(config)])

    return turn


SIDES: dict[str, Callable[[int], Turn]] = {
    "luthier_tpe": luthier_tpe,
    "optuna_tpe": optuna_tpe,
    "hyperopt_tpe": hyperopt_tpe,
    "luthier_gp": luthier_gp,
    "optuna_gp": optuna_gp,
}


def cost(side: str, told: int, asked: int) -> dict[str, Any]:
    """Return the CPU milliseconds of a turn: the mean of those after the first, which may still load something."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that something is an experiment
        turn = SIDES[side](told)
        turn()
        times = []
        for _ in range(asked):
            start = time.process_time()
            turn()
            times.append(time.process_time() - start)
    return {"side": side, "told": told, "asked": asked, "ms": 1e3 * statistics.mean(times)}


if __name__ == "__main__":
    print("\n" + json.dumps(cost(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))), flush=True)
