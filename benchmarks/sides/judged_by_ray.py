"""What Ray Tune's own schedulers take for the same results: ``python -m benchmarks.sides.judged_by_ray NAME TRIALS``.

The classes are called as the controller calls them, with stand-ins for the trials and for itself that do as little as
they can: nothing is saved (so nothing is exploited), and what is stopped by ASHA or the median rule reports on.  After
BUDGET_S seconds it gives up and says what the results so far have cost; as the cost grows with the results, that is in
Ray's favour.
"""

from __future__ import annotations

import json
import sys
import time
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import (
    AsyncHyperBandScheduler,
    HyperBandScheduler,
    MedianStoppingRule,
    PopulationBasedTraining,
    TrialScheduler,
)

STEPS, BUDGET_S, PICKS = 100, 10.0, 50
GOAL = {"metric": "loss", "mode": "min"}
TIME = "training_iteration"
MAKE: dict[str, Any] = {
    "asha": lambda: AsyncHyperBandScheduler(max_t=STEPS, **GOAL),
    "hyperband": lambda: HyperBandScheduler(max_t=STEPS, **GOAL),
    "median_stopping_rule": lambda: MedianStoppingRule(time_attr=TIME, grace_period=1, hard_stop=False, **GOAL),
    "pbt": lambda: PopulationBasedTraining(
        time_attr=TIME, perturbation_interval=4, hyperparam_mutations={"x": [0.0, 0.1]}, **GOAL
    ),
}


class Trial:
    """Just enough of a trial."""

    is_saving, experiment_tag, orig_tag = False, "", ""

    def __init__(self, number: int) -> None:
        self.trial_id, self.config, self.status = f"{number:05d}", {"x": number * 37 % 101 / 1000}, "PENDING"
        self.evaluated_params: dict[str, Any] = {}
        keeps = SimpleNamespace(num_to_keep=None)
        self.run_metadata = SimpleNamespace(checkpoint_manager=SimpleNamespace(checkpoint_config=keeps))

    def is_finished(self) -> bool:
        return self.status == "TERMINATED"


class Controller:
    """Just enough of a controller."""

    search_alg = None

    def __init__(self, scheduler: Any, trials: list[Trial]) -> None:
        self.scheduler, self.trials = scheduler, trials

    def get_trials(self) -> list[Trial]:
        return self.trials

    def get_live_trials(self) -> list[Trial]:
        return [t for t in self.trials if t.status != "TERMINATED"]

    def stop_trial(self, trial: Trial) -> None:
        trial.status = "TERMINATED"
        self.scheduler.on_trial_remove(self, trial)

    def _schedule_trial_save(self, trial: Trial, result: Any = None) -> None:
        """Save nothing."""


def cost(name: str, trials: int) -> dict[str, Any]:
    """Return microseconds: for each result, for each of the last ones, for a choice of the next trial."""
    scheduler = MAKE[name]()
    controller = Controller(scheduler, [Trial(number) for number in range(trials)])
    for trial in controller.trials:
        scheduler.on_trial_add(controller, trial)
    pick_us = 1e6 * _picked(scheduler, controller)
    for trial in controller.trials:
        trial.status = "RUNNING"
    count, seconds, at_end = 0, 0.0, 0.0
    while seconds < BUDGET_S:
        told, spent = _turn(scheduler, controller, count, BUDGET_S - seconds)
        if not told:
            break
        count, seconds, at_end = count + told, seconds + spent, spent / told
    return {"trials": trials, "count": count, "policy_us": 1e6 * seconds / count, "end_us": 1e6 * at_end,
            "pick_us": pick_us, "whole": int(seconds < BUDGET_S)}  # fmt: skip


def _turn(scheduler: Any, controller: Controller, count: int, budget: float) -> tuple[int, float]:
    """Let each trial that runs report once more; return how many did, and the CPU seconds that it took."""
    deaf = isinstance(scheduler, (AsyncHyperBandScheduler, MedianStoppingRule))
    news = []
    for trial in controller.trials:
        if trial.status == "PAUSED" and trial in scheduler._trial_info[trial][0].trials_to_unpause:
            trial.status = "RUNNING"
        if trial.status == "RUNNING":
            step = trial.step = getattr(trial, "step", 0) + 1  # type: ignore[attr-defined]
            if step <= STEPS:
                news.append((trial, {TIME: step, "loss": trial.config["x"] + 1 / step}))
    start, told, now = time.process_time(), 0, 0.0
    for trial, result in news:
        if trial.status != "RUNNING":
            continue
        decision = scheduler.on_trial_result(controller, trial, result)
        told += 1
        if decision != TrialScheduler.CONTINUE and not deaf:
            trial.status = "PAUSED" if decision == TrialScheduler.PAUSE else "TERMINATED"
        if told % 64 == 0 and (now := time.process_time() - start) > budget:
            break
    return told, max(time.process_time() - start, now)


def _picked(scheduler: Any, controller: Controller) -> float:
    """Return the CPU seconds of one choice where half of the trials run, as in the middle of an experiment."""
    for trial in controller.trials[: len(controller.trials) // 2]:
        trial.status = "RUNNING"
    start = time.process_time()
    for _ in range(PICKS):
        scheduler.choose_trial_to_run(controller)
    seconds = time.process_time() - start
    for trial in controller.trials:
        trial.status = "PENDING"
    return seconds / PICKS


if __name__ == "__main__":
    print("\n" + json.dumps(cost(sys.argv[1], int(sys.argv[2]))), flush=True)
