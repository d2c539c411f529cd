"""Ray's ``HyperBandScheduler`` and ``HyperBandForBOHB``: the plans of random brackets, and full brackets at play.

A case holds the ``class``, ``plans`` as ``[max_t, reduction_factor, brackets]`` (each bracket of a band ``[s, sizes,
milestones, work]``, in the order in which Ray fills them; None where Ray leaves one out), and a game: the ``arguments``
of the scheduler, each trial's bracket (``bracket_of``; all trials are there before any result comes), the ``results``
as ``[trial, time, value]``, Ray's ``answers`` to them (what becomes of the trial, whom else it stopped, whom it
resumed) and its ``picks``: which trial it would start next, None where there is none.

The streams keep clear of what differs on purpose: brackets are full, values are finite and all different, no trial ends
by itself, a result is one unit of time after the one before, reduction factors are 2 or more, and no trial comes to the
last rung, where Ray has it wait for the others.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.differential import recording

if TYPE_CHECKING:
    import random

PLAYED = [(9, 3), (8, 2), (16, 2), (27, 3), (16, 4), (10, 3), (12, 2.5), (20, 4), (1, 3), (7, 7)]  # max_t, factor
FACTORS = [2, 2.5, 3, 3.5, 4, 5, 6, 7, 10]


class Trial:
    """What Ray's class wants of a trial."""

    def __init__(self, number: int) -> None:
        self.number, self.trial_id, self.status, self.is_saving = number, str(number), "PENDING", False

    def __repr__(self) -> str:
        return self.trial_id


class Controller:
    """Notes whom the scheduler stops."""

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self.stopped: list[int] = []
        self.trials: list[Trial] = []
        quiet = SimpleNamespace(on_pause=lambda _: None, on_unpause=lambda _: None)
        self.search_alg = SimpleNamespace(searcher=quiet)

    def stop_trial(self, trial: Trial) -> None:
        trial.status = "TERMINATED"
        self.stopped.append(trial.number)
        self.scheduler.on_trial_complete(self, trial, {})

    def get_trials(self) -> list[Trial]:
        return self.trials


def shape(bracket: Any) -> list[Any]:
    """Return what a bracket of Ray's will do, by having it halve itself without trials."""
    s, work = bracket._halves, bracket._total_work
    sizes, milestones = [bracket._n], [bracket._cumul_r]
    for _ in range(s):
        bracket.successive_halving("loss", 1.0)
        sizes.append(bracket._n)
        milestones.append(bracket._cumul_r)
    return [s, sizes, milestones, work]


def shapes_of(scheduler: Any, *, largest_first: bool) -> list[Any]:
    """Return the shapes of a band."""
    numbers = range(scheduler._s_max_1)
    order = reversed(numbers) if largest_first else numbers
    return [shape(scheduler._create_bracket(s)) if scheduler._get_r0(s) else None for s in order]


def make_case(chance: random.Random) -> dict[str, Any]:
    from ray.tune.schedulers import HyperBandForBOHB, HyperBandScheduler

    bohb = chance.random() < 0.5
    kind = HyperBandForBOHB if bohb else HyperBandScheduler
    plans = []
    for _ in range(8):
        max_t, eta = chance.randint(1, 2000), chance.choice(FACTORS)
        scheduler = kind("step", "loss", "min", max_t, eta)
        plans.append([max_t, eta, shapes_of(scheduler, largest_first=bohb)])
    max_t, eta = chance.choice(PLAYED)
    arguments = {
        "time_attr": "step", "mode": chance.choice(["min", "max"]), "max_t": max_t, "reduction_factor": eta,
        "stop_last_trials": chance.random() < 0.7,
    }  # fmt: skip
    return {"class": kind.__name__, "plans": plans, "arguments": arguments, **play(kind, arguments, chance)}


def play(kind: Any, arguments: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Fill one band or two, then let trials report in random order."""
    ray = kind(metric="loss", **arguments)
    controller, max_t = Controller(ray), arguments["max_t"]
    band = shapes_of(kind(metric="loss", **arguments), largest_first=False)
    wanted = sum(plan[1][0] for plan in band if plan) * chance.choice([1, 1, 2])
    trials = controller.trials = [Trial(number) for number in range(wanted)]
    for trial in trials:
        ray.on_trial_add(controller, trial)
    brackets = [bracket for band in ray._hyperbands for bracket in band if bracket is not None]
    bracket_of = [brackets.index(ray._trial_info[trial][0]) for trial in trials]
    times, results, answers, picks = [0] * wanted, list[Any](), list[Any](), list[Any]()
    last = {id(b): shape(ray._create_bracket(b._halves))[2][-1] for b in brackets}
    values = list(range(wanted * max_t))
    chance.shuffle(values)
    while True:
        able = [t for t in trials if t.status in ("PENDING", "RUNNING") or t in ray._trial_info[t][0].trials_to_unpause]
        able = [t for t in able if times[t.number] + 1 < last[id(ray._trial_info[t][0])]]
        if not able or len(results) >= 160:
            break
        trial = chance.choice(able)
        trial.status = "RUNNING"
        times[trial.number] += 1
        value = values.pop()
        controller.stopped = []
        bracket = ray._trial_info[trial][0]
        before = set(bracket.trials_to_unpause) - {trial}
        answer = ray.on_trial_result(controller, trial, {"step": times[trial.number], "loss": value})
        trial.status = {"CONTINUE": "RUNNING", "PAUSE": "PAUSED", "STOP": "TERMINATED"}[answer]
        if answer == "STOP":
            ray.on_trial_complete(controller, trial, {})
        resumed = sorted(t.number for t in set(bracket.trials_to_unpause) - before)
        results.append([trial.number, times[trial.number], value])
        answers.append([answer, sorted(controller.stopped), resumed])
        pick = ray.choose_trial_to_run(controller)
        picks.append(None if pick is None else pick.number)
    return {"bracket_of": bracket_of, "results": results, "answers": answers, "picks": picks}


recording.main(__name__, __file__, make_case)
