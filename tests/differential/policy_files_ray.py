"""The policy files that Ray's PBT writes, and what its replay reads from them.

A case holds the ``tags`` of the trials, ``steps`` as ``[target, source, target's iteration, source's iteration,
source's config, new config]``, ``files`` with the lines of each trial's policy file and of the common one, and
``replays``: for each trial that has a file the config with which Ray's replay begins, and its ``[iteration,
config]``s.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.differential import recording

if TYPE_CHECKING:
    import random


def make_case(chance: random.Random) -> dict[str, Any]:
    from ray.tune.schedulers import PopulationBasedTraining, PopulationBasedTrainingReplay

    ray = PopulationBasedTraining(hyperparam_mutations={"lr": [1]})
    count = chance.choice([2, 3, 6])
    configs = [{"lr": round(chance.random(), 3), "net": {"width": chance.choice([8, 16])}} for _ in range(count)]
    tags = [f"{number}_lr={config['lr']}" for number, config in enumerate(configs)]
    iterations = [0] * count
    steps = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(chance.choice([0, 3, 12])):
            target, source = chance.sample(range(count), 2)
            iterations = [n + chance.choice([0, 1, 5]) for n in iterations]
            new = {**configs[source], "lr": round(chance.random(), 3)}
            steps.append([target, source, iterations[target], iterations[source], configs[source], new])
            states = [SimpleNamespace(orig_tag=tags[number]) for number in (target, source)]
            trials = [
                SimpleNamespace(
                    trial_id=str(number), local_experiment_path=folder, local_dir=folder,
                    last_result={"training_iteration": iterations[number]}, config=configs[number],
                )
                for number in (target, source)
            ]  # fmt: skip
            ray._log_config_on_step(*states, *trials, new)
            configs[target], iterations[target] = new, iterations[source]
        files = {path.name: path.read_text().splitlines() for path in sorted(Path(folder).iterdir())}
        replays = {}
        for number in range(count):
            path = Path(folder, f"pbt_policy_{number}.txt")
            if path.exists():
                replay = PopulationBasedTrainingReplay(str(path))
                replays[str(number)] = [replay.config, replay._policy]
    return {"tags": tags, "steps": steps, "files": files, "replays": replays}


recording.main(__name__, __file__, make_case)
