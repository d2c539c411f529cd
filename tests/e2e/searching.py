"""A script to be killed: an experiment of twelve trials, two at a time, that says all that its searcher is told."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier import tune
from luthier.search.library import Library
from luthier.tune import blueprint
from luthier.tune.search import ConcurrencyLimiter, Repeater, Searcher
from tests.tune.search.algorithms import ALGORITHMS, SPACE, made

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.core.events import News
    from luthier.core.policy import ExperimentView

TRIALS, ENOUGH = 12, 6  # all, and how many end before the driver is killed


def train(config):
    """Wait where the driver is to be killed: two run then."""
    here, trial = Path(config["here"]), tune.get_context().get_trial_id()
    while len(list(here.glob("*.ended"))) >= ENOUGH and not (here / "restored").exists():
        time.sleep(0.01)
    tune.report({"loss": config["x"] + 1, "size": -config["x"]})
    tune.report({"loss": config["x"], "size": -config["x"]})
    (here / f"{trial}.ended").touch()


class Walk(Searcher):
    """A user's own, which knows the trials that run and raises where it is told of another."""

    def __init__(self) -> None:
        super().__init__("loss", "min")
        self.rng, self.live, self.ended = random.Random(3), set[str](), list[str]()

    def suggest(self, trial_id):
        self.live.add(trial_id)
        return {"x": self.rng.random(), "told": len(self.ended)}

    def on_trial_complete(self, trial_id, result=None, error=False):
        self.live.remove(trial_id)
        self.ended.append(trial_id)


def _defined(trial: Any) -> dict[str, Any]:
    trial.suggest_float("x", 0, 1)
    if trial.suggest_categorical("model", ["a", "b"]) == "b":
        trial.suggest_int("depth", 1, 9)
    return {"constant": 3}


def _optuna_stored(here: Path) -> Any:
    return made("OptunaSearch", storage=f"sqlite:///{here}/study.db")


def _hyperopt_space(here: Path) -> Any:
    from hyperopt import hp

    depths = [{"depth": hp.quniform("depth", 1, 9, 1)}, {"kind": "linear"}]
    space = {"x": hp.uniform("x", 0, 1), "model": hp.choice("model", depths)}
    return made("HyperOptSearch", space=space, metric="loss", mode="min")


# Beside those of the registry: around others, by users, in the ways of their libraries.
MORE: dict[str, Callable[[Path], Any]] = {
    "a user's own": lambda here: Walk(),
    "a user's own, limited": lambda here: ConcurrencyLimiter(Walk(), 2),
    "limited": lambda here: ConcurrencyLimiter(made("TPESearch"), 2, batch=True),
    "repeated": lambda here: Repeater(made("TPESearch"), 2),
    "optuna, stored": _optuna_stored,
    "optuna, by a function": lambda here: made("OptunaSearch", space=_defined, metric="loss", mode="min"),
    "optuna, several goals": _optuna_stored,
    "hyperopt, its own space": _hyperopt_space,
}
NAMES = [*ALGORITHMS, *MORE]


def tuner(name: str, here: Path) -> tune.Tuner:
    """Return what is to be killed."""
    search_alg = MORE[name](here) if name in MORE else made(name)
    goal: dict[str, Any] = {"metric": "loss", "mode": "min"}
    if name.endswith("several goals"):
        goal = {"metric": ["loss", "size"], "mode": ["min", "max"]}
    own = getattr(search_alg, "space", None) is not None or "own" in name or "function" in name
    return tune.Tuner(
        train,
        param_space={"here": str(here), **({} if own else SPACE)},
        tune_config=tune.TuneConfig(
            num_samples=TRIALS, search_alg=search_alg, seed=5, max_concurrent_trials=2, **(goal if not own else {})
        ),
        run_config=tune.RunConfig(storage_path=here, name="e", verbose=0, resources={"cpu": 2}),
    )


class Spy:
    """Passes all on to *searcher*, and notes what it is told; of a library also what that is told."""

    def __init__(self, searcher: Any, note: Callable[[Spy, str], object]) -> None:
        self.searcher, self.note = searcher, note
        self.told: list[str] = []
        self.settled: list[Any] | None = None
        inner: Any = searcher
        while inner is not None and not isinstance(inner, Library):
            inner = getattr(inner, "searcher", None)
        if inner is not None:
            self.settled, settle = [], inner.study.settle

            def noted(token: Any, scores: Any, *, stopped: bool) -> None:
                self.settled.append(scores)
                settle(token, scores, stopped=stopped)

            vars(inner.study)["settle"] = noted

    def __getattr__(self, name: str) -> Any:
        return getattr(self.searcher, name)

    def tell(self, news: News, experiment: ExperimentView) -> None:
        told = spelled(news)
        self.told.append(told)
        self.note(self, told)
        self.searcher.tell(news, experiment)


def spelled(news: Any) -> str:
    """Return what *news* are of, in a line."""
    return f"{type(news).__name__} {news.trial} {getattr(news, 'attempt', 0)} {getattr(news, 'seq', 0)}"


def spied(note: Callable[[Spy, str], object]) -> Callable[..., Spy]:
    """Return what builds searchers with a spy around each; to stand in ``luthier.tune.blueprint``."""
    build: Any = vars(blueprint)["searcher_of"]
    return lambda *arguments: Spy(build(*arguments), note)


if __name__ == "__main__":
    storage = Path(sys.argv[2])
    to = os.open(storage / "told", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    vars(blueprint)["searcher_of"] = spied(lambda _, told: os.write(to, f"{told}\n".encode()))
    tuner(sys.argv[1], storage).fit()
