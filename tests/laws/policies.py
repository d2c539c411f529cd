"""Policies that only the laws use: between them they make every decision that a policy may make, wisely or not."""

from __future__ import annotations

import bisect
import random
from typing import TYPE_CHECKING, Any

from luthier.core.events import Ended, Exited, Proposed, Reported, Stalled
from luthier.core.policy import Exploit, Finish, Nothing, Pause, Resize, Resume, Stop
from luthier.core.space import Float, Grid
from luthier.core.terms import Ref, Status
from luthier.schedulers.asha import Asha
from luthier.schedulers.explore import Mutations
from luthier.schedulers.fifo import Fifo
from luthier.schedulers.hb_bohb import HyperbandForBohb
from luthier.schedulers.hyperband import Hyperband
from luthier.schedulers.hyperband_stopping import HyperbandStopping
from luthier.schedulers.median import MedianRule
from luthier.schedulers.pasha import Pasha
from luthier.schedulers.pb2 import Pb2
from luthier.schedulers.pbt import Pbt as Population
from luthier.schedulers.promotion import AshaPromotion
from luthier.schedulers.replay import Replay
from luthier.schedulers.resizing import Resizing
from luthier.search.fixed import Fixed
from luthier.search.variants import Variants
from luthier.tune.schedulers import FIFOScheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from luthier.core.events import News
    from luthier.core.policy import Decision, ExperimentView, Scheduler, Searcher
    from luthier.core.rng import Rng
    from luthier.core.terms import Config, TrialId

TIME = "training_iteration"


def draw(rng: Rng) -> Config:
    """Return a config whose ``kind`` says what resources it asks for where the request is a function."""
    return {"x": rng.random(), "kind": rng.below(4)}


# -- searchers ---------------------------------------------------------------------------------------------------------


class Random:
    """Independent draws, without end."""

    def ask(self, number: int, rng: Rng) -> Config | Nothing:
        return draw(rng)

    def tell(self, news: News, experiment: ExperimentView) -> None:
        pass


class Evolution(Random):
    """Mutates one of the best."""

    def __init__(self, elite: int = 3) -> None:
        self.elite = elite
        self._best: list[tuple[float, int]] = []
        self._configs: dict[int, Config] = {}

    def ask(self, number: int, rng: Rng) -> Config | Nothing:
        if len(self._best) < self.elite:
            return draw(rng)
        parent = self._configs[rng.choice(self._best)[1]]
        return {"x": min(max(parent["x"] + 0.1 * rng.normal(), 0.0), 1.0), "kind": parent["kind"]}

    def tell(self, news: News, experiment: ExperimentView) -> None:
        if not isinstance(news, Ended):
            return
        trial = experiment.trial(news.trial)
        if trial.score is not None and trial.number not in self._configs:
            bisect.insort(self._best, (trial.score, trial.number))
            self._configs[trial.number] = trial.config
            for _, number in self._best[self.elite :]:
                del self._configs[number]
            del self._best[self.elite :]


class Shy(Random):
    """Proposes two, then waits for an end before each further one; one may shake it awake, but only *naps* times."""

    def __init__(self, naps: int = 1, most: int = 8) -> None:
        self.naps, self.most, self._ended, self._shaken = naps, most, 0, 0

    def ask(self, number: int, rng: Rng) -> Config | Nothing:
        if number >= self.most:
            return Nothing.EXHAUSTED
        return draw(rng) if number < 2 + self._ended + self._shaken else Nothing.NOT_YET

    def tell(self, news: News, experiment: ExperimentView) -> None:
        self._ended += isinstance(news, Ended) and news.status is Status.DONE
        self._shaken += isinstance(news, Stalled) and self._shaken < self.naps


def fixed() -> Searcher:
    return Fixed([{"x": i / 10, "kind": i % 4} for i in range(7)])


def variants() -> Searcher:
    return Variants({"x": Float(0.0, 1.0), "kind": Grid([0, 1, 2, 3])}, 2, [{"x": 0.5}])


# -- schedulers --------------------------------------------------------------------------------------------------------


class Halving(Fifo):
    """Synchronous halving: all wait at the rung, the best go on.  It needs ``Stalled``."""

    def __init__(self, size: int = 4, eta: int = 2, max_t: int = 8) -> None:
        self.size, self.eta, self.max_t = size, eta, max_t
        self._rung = 1
        self._alive: dict[TrialId, None] = {}
        self._arrived: dict[TrialId, float] = {}

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        match news:
            case Stalled():
                return self._close(short=True)
            case Proposed(trial):
                self._alive[trial] = None
            case Ended(trial):
                self._alive.pop(trial, None)
                self._arrived.pop(trial, None)
                return self._close()
            case Reported(trial, _, _, metrics):
                now = metrics.get(TIME, 0)
                if now >= self.max_t:
                    return (Stop(trial, "max_t"),)
                if trial in self._alive and trial not in self._arrived and now >= self._rung:
                    score = experiment.trial(trial).score
                    self._arrived[trial] = float("inf") if score is None else score
                    return (Pause(trial), *self._close())
        return ()

    def _close(self, *, short: bool = False) -> Sequence[Decision]:
        missing = self._rung == 1 and len(self._alive) < self.size and not short
        if not self._arrived or len(self._arrived) < len(self._alive) or missing:
            return ()
        ranked = sorted(self._arrived, key=lambda t: (self._arrived[t], t))
        stay = ranked[: max(len(ranked) // self.eta, 1)]
        self._arrived, self._rung = {}, self._rung * self.eta
        self._alive = dict.fromkeys(stay)
        return (*(Stop(t, "rung") for t in ranked[len(stay) :]), *(Resume(t) for t in stay))


class Pbt(Fifo):
    """Population based training: now and then one of the worst copies one of the best."""

    def __init__(self, every: int = 2) -> None:
        self.every = every
        self._scores: dict[TrialId, float] = {}
        self._reports = 0

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        if not isinstance(news, Reported):
            return ()
        self._reports += 1
        score = experiment.trial(news.trial).score
        if score is not None:
            self._scores[news.trial] = score
        if self._reports % self.every or self._reports > 60 or len(self._scores) < 2:
            return ()
        ranked = sorted(self._scores, key=lambda t: (self._scores[t], t))
        donor = experiment.trial(ranked[0])
        config = {**donor.config, "x": min(max(donor.config["x"] + rng.uniform(-0.2, 0.2), 0.0), 1.0)}
        return (Exploit(ranked[-1], config, donor.checkpoint),)


class Resizer(Fifo):
    """Gives trials other resources while they run."""

    SIZES: Sequence[dict[str, float]] = ({"cpu": 1.0}, {"cpu": 2.0}, {"cpu": 0.5, "gpu": 0.5}, {})

    def __init__(self, most: int = 20, sizes: Sequence[dict[str, float]] = SIZES) -> None:
        self.most, self.sizes, self._times = most, sizes, 0

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        if not isinstance(news, Reported) or self._times >= self.most or rng.random() < 0.5:
            return ()
        self._times += 1
        return (Resize(news.trial, rng.choice(self.sizes)),)


class Holder(Fifo):
    """Holds trials back while another runs; the stubborn one never lets any go by itself."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.stubborn = stubborn

    def pick(self, waiting: Iterable[TrialId], experiment: ExperimentView) -> TrialId | None:
        candidates = list(waiting)
        if self.stubborn or (experiment.having(Status.RUNNING) and len(experiment) % 2):
            return None
        return candidates[-1]


class Finisher(Fifo):
    """Ends the experiment when enough have ended."""

    def __init__(self, enough: int = 4) -> None:
        self.enough, self._ended = enough, 0

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        self._ended += isinstance(news, Ended)
        return (Finish("enough"),) if self._ended >= self.enough else ()


class Chaos(Fifo):
    """Decides anything about anybody at any time, until it is tired; what it says need not make sense."""

    def __init__(self, most: int = 40) -> None:
        self.most, self._news = most, 0
        self._refs: dict[TrialId, list[Ref]] = {}

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        if isinstance(news, (Reported, Exited)) and news.checkpoint is not None:
            self._refs.setdefault(news.trial, []).append(news.checkpoint)
        self._news += 1
        trials = [t for status in Status for t in experiment.having(status)]
        if self._news > self.most or not trials or rng.random() < 0.4:
            return ()
        return [self._decision(rng.choice(trials), experiment, rng) for _ in range(1 + rng.below(3))]

    def _decision(self, trial: TrialId, experiment: ExperimentView, rng: Rng) -> Decision:
        config = draw(rng)
        match rng.below(9):
            case 0:
                return Stop(trial)
            case 1 | 2:
                return Pause(trial)
            case 3 | 4:
                return Resume(trial)
            case 5 | 6:  # from any checkpoint, an older one of its own as well
                refs = [ref for ref in self._refs.get(trial, ()) if rng.random() < 0.7]
                other = experiment.trial(rng.choice(list(experiment.having(experiment.trial(trial).status)))).checkpoint
                return Exploit(trial, config, rng.choice([*refs, other, None]))
            case 7:
                return Resize(trial, {"cpu": float(1 + rng.below(2))})
        return Finish("chaos") if rng.random() < 0.1 else Stop(trial, "at birth or later")


class Hooks(FIFOScheduler):
    """Ray Tune's hooks: pauses at each second result, stops some, brings the paused back as the fancy takes it."""

    def __init__(self):
        self.alive: dict[str, int] = {}

    def on_trial_add(self, tune_controller, trial):
        self.alive[trial.trial_id] = 0

    def on_trial_result(self, tune_controller, trial, result):
        self.alive[trial.trial_id] += 1
        if self.alive[trial.trial_id] > 9:
            return self.STOP
        if random.random() < 0.1:
            others = [t for t in tune_controller.get_live_trials() if t != trial]
            if others:
                tune_controller.stop_trial(random.choice(others))
        return self.PAUSE if self.alive[trial.trial_id] % 2 == 0 else self.CONTINUE

    def on_trial_complete(self, tune_controller, trial, result):
        del self.alive[trial.trial_id]

    def on_trial_error(self, tune_controller, trial):
        del self.alive[trial.trial_id]

    def on_trial_remove(self, tune_controller, trial):
        del self.alive[trial.trial_id]

    def choose_trial_to_run(self, tune_controller):
        ready = [t for t in tune_controller.get_live_trials() if t.status in ("PENDING", "PAUSED")]
        return random.choice(ready) if ready else None


def hooks() -> Scheduler:
    return Hooks().policy(None)


SEARCHERS: dict[str, Callable[[], Searcher]] = {
    "fixed": fixed,
    "variants": variants,
    "random": Random,
    "evolution": Evolution,
    "shy": Shy,
    "never-woken": lambda: Shy(naps=0),
}


def population(**arguments: Any) -> Population:
    explore = Mutations({"x": Float(0.0, 1.0), "kind": [0, 1, 2, 3]})
    return Population(explore, TIME, perturbation_interval=2, require_attrs=False, **arguments)


ENDLESS = frozenset({"random", "evolution"})
SCHEDULERS: dict[str, Callable[[], Scheduler]] = {
    "fifo": Fifo,
    "asha": lambda: Asha(max_t=9, reduction_factor=3),
    "asha-brackets": lambda: Asha(max_t=8, reduction_factor=2, brackets=3, stop_last_trials=False),
    "hyperband": lambda: Hyperband(max_t=8, reduction_factor=2),
    "hyperband-stopping": lambda: HyperbandStopping(min_iter=1, eta=2),
    "hyperband-lenient": lambda: HyperbandStopping(max_iter=9, s=2, strict=False),
    "bohb": lambda: HyperbandForBohb(max_t=9, stop_last_trials=False),
    "median": lambda: MedianRule(TIME, grace_period=2, min_samples_required=2),
    "median-pausing": lambda: MedianRule(TIME, grace_period=1, min_samples_required=2, hard_stop=False),
    "promotion": lambda: AshaPromotion(max_t=9, reduction_factor=3),
    "pasha": lambda: Pasha(max_t=8, reduction_factor=2),
    "halving": Halving,
    "pbt": Pbt,
    "pb2": lambda: Pb2({"x": [0.0, 1.0]}, TIME, perturbation_interval=2, require_attrs=False),
    "population": population,
    "population-known": lambda: population(population=5),
    "population-synch": lambda: population(synch=True, population=4, quantile_fraction=0.5),
    "replay": lambda: Replay([(1, {"x": 0.5, "kind": 1}), (3, {"x": 0.1, "kind": 2})], TIME),
    "resizer": Resizer,
    "resizing": lambda: Resizing(Asha(max_t=9, reduction_factor=3), alike=False),
    "hooks": hooks,
    "holder": Holder,
    "stubborn": lambda: Holder(stubborn=True),
    "finisher": Finisher,
    "chaos": Chaos,
}
