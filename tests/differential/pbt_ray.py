"""Ray's ``PopulationBasedTraining`` on random streams of results.

A case holds ``arguments`` of the scheduler, how many ``trials`` there are, and ``steps``: ``["end", trial]``, or
``["report", trial, time, value, looks]``, where ``looks`` tells what Ray made of the report.  It is None where Ray
did not look at the trial; otherwise ``lower`` and ``upper`` are the two quantiles, worst first, ``exploits`` lists
``[target, source]``, and ``draws`` the places in ``upper`` that chance drew (our side is given the same ones),
whether something came of it or not.

Ray keeps a checkpoint only of a trial that was in the upper quantile when it was last looked at, and passes over
others that are drawn; here all have one, as with us, that have reported since they last went on from another one.
Values are finite: NaN differs on purpose.  With ``synch`` no trial ends, and all come to the same times: what follows
otherwise differs on purpose, too.  A trial goes on at the time of the checkpoint that it took.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.differential import recording

if TYPE_CHECKING:
    import random


def make_arguments(chance: random.Random) -> dict[str, Any]:
    """Return the scheduler's arguments."""
    synch = chance.random() < 0.4
    return {
        "time_attr": "step",
        "mode": chance.choice(["min", "max"]),
        "perturbation_interval": chance.choice([1, 2, 3, 4] if synch else [1, 2, 3, 2.5, 4]),
        "burn_in_period": chance.choice([0, 0, 3, 5]),
        "quantile_fraction": chance.choice([0.0, 0.1, 0.25, 0.25, 0.34, 0.5]),
        "synch": synch,
    }


class Known:
    """A trial as the scheduler sees it."""

    def __init__(self, number: int) -> None:
        self.number, self.trial_id, self.status = number, str(number), "RUNNING"
        self.experiment_tag, self.config = str(number), {"x": number}
        self.evaluated_params: dict[str, Any] = {}
        self.last_result: dict[str, Any] = {}
        wanted = SimpleNamespace(num_to_keep=None)
        checkpoints = SimpleNamespace(checkpoint_config=wanted, _latest_checkpoint_result=None)
        self.run_metadata = SimpleNamespace(checkpoint_manager=checkpoints)
        self.temporary_state = SimpleNamespace(saving_to=None)
        self.checkpoint = "saved"

    def is_finished(self) -> bool:
        return self.status == "TERMINATED"

    def set_config(self, config: Any) -> None:
        self.config = config

    def set_experiment_tag(self, tag: str) -> None:
        self.experiment_tag = tag


def make_case(chance: random.Random) -> dict[str, Any]:
    from ray.tune.schedulers import PopulationBasedTraining, pbt

    arguments = make_arguments(chance)
    looks: dict[str, Any] = {}

    quantile: list[Any] = []

    def choose(options: Any) -> Any:
        at = chance.randrange(len(options))
        if options and options[0] in quantile:
            looks["draws"].append(at)
        return options[at]

    pbt.random = SimpleNamespace(choice=choose, random=chance.random)  # what it draws with

    class Watched(PopulationBasedTraining):  # type: ignore[misc]  # Ray is not there when types are checked
        def _quantiles(self) -> Any:
            lower, upper = super()._quantiles()
            quantile[:] = upper
            looks.update(lower=[t.number for t in lower], upper=[t.number for t in upper], exploits=[], draws=[])
            return lower, upper

        def _exploit(self, controller: Any, trial: Any, source: Any) -> None:
            looks["exploits"].append([trial.number, source.number])
            super()._exploit(controller, trial, source)

    ray = Watched(
        metric="loss", hyperparam_mutations={"x": [1, 2, 3]}, log_config=False, require_attrs=False, **arguments
    )
    trials = [Known(number) for number in range(chance.choice([1, 2, 3, 5, 8, 16]))]

    def pause(trial: Known, **_: Any) -> None:
        trial.status = "PAUSED"

    controller = SimpleNamespace(
        search_alg=None,
        get_trials=lambda: trials,
        get_live_trials=lambda: [t for t in trials if not t.is_finished()],
        pause_trial=pause,
        _schedule_trial_save=lambda trial, result: "saved",
    )
    for trial in trials:
        ray.on_trial_add(controller, trial)
    value = chance.choice([lambda: 0.5, lambda: chance.choice([1, 2, 3]), lambda: round(chance.gauss(0, 1), 3)])
    times = [0] * len(trials)
    arrived: set[int] = set()
    saved: set[int] = set()
    steps: list[list[Any]] = []
    while len(steps) < 70:
        going = [t for t in trials if not t.is_finished() and t.number not in arrived]
        if not going:
            break
        trial = chance.choice(going)
        if not arguments["synch"] and chance.random() < 0.02:
            trial.status = "TERMINATED"
            steps.append(["end", trial.number])
            continue
        times[trial.number] += 1
        result = {"step": times[trial.number], "loss": value()}
        looks.clear()
        saved.add(trial.number)
        before = ray._trial_state[trial].last_result
        ray.on_trial_result(controller, trial, result)
        seen = None
        if ray._trial_state[trial].last_result is not before or looks:
            seen = dict(looks) or {"lower": [], "upper": [], "exploits": [], "draws": []}
        if arguments["synch"] and seen is not None:
            arrived.add(trial.number)
            if looks:
                arrived.clear()
        for target, source in looks.get("exploits", ()):
            times[target] = ray._trial_state[trials[source]].last_train_time
            saved.discard(target)
        for other in trials:
            ray._trial_state[other].last_checkpoint = "saved" if other.number in saved else None
            other.status = "TERMINATED" if other.is_finished() else "RUNNING"
        steps.append(["report", trial.number, result["step"], result["loss"], seen])
    return {"arguments": arguments, "trials": len(trials), "steps": steps}


recording.main(__name__, __file__, make_case)
