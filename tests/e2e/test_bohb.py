"""BOHB over real processes: classifiers of digits, killed in the middle and taken up again."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from luthier import tune
from luthier.core import events as ev
from luthier.tune.past import events_of

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import pickle, random, sys
from luthier import tune
from luthier.tune.schedulers import HyperBandForBOHB
from luthier.tune.search import ConcurrencyLimiter, Searcher
from luthier.tune.search.bohb import TuneBOHB

def reads_digits(config):
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.linear_model import SGDClassifier
    x, y = load_digits(return_X_y=True)
    x, order = x / 16, np.random.default_rng(0).permutation(len(x))
    train, test = order[:700], order[1400:]
    model, done = SGDClassifier(alpha=config["alpha"], random_state=0), 0
    restored = tune.get_checkpoint()
    if restored is not None:
        model, done = pickle.loads(restored.to_dict()["model"]), restored.to_dict()["epochs"]
    for epoch in range(done, 9):
        model.partial_fit(x[train], y[train], classes=range(10))
        saved = tune.Checkpoint.from_dict({"model": pickle.dumps(model), "epochs": epoch + 1})
        tune.report({"accuracy": model.score(x[test], y[test]), "epoch": epoch + 1}, checkpoint=saved)

class Walk(Searcher):
    def __init__(self):
        super().__init__("accuracy", "max")
        self.rng, self.live = random.Random(3), {}
    def suggest(self, trial_id):
        self.live[trial_id] = self.rng.uniform(-6, -1)
        return {"alpha": 10 ** self.live[trial_id]}
    def on_trial_complete(self, trial_id, result=None, error=False):
        self.live.pop(trial_id)  # raises if told twice

def tuner(kind, path):
    searching = {
        "bohb": lambda: TuneBOHB(seed=7),
        "walk": lambda: ConcurrencyLimiter(Walk(), 6),
    }[kind]()
    space = {"alpha": tune.loguniform(1e-6, 1.0)} if kind == "bohb" else None
    goal = {"metric": "accuracy", "mode": "max"} if kind == "bohb" else {}
    judge = HyperBandForBOHB(max_t=9)
    config = tune.TuneConfig(num_samples=17, search_alg=searching, scheduler=judge, seed=5, **goal)
    run = tune.RunConfig(storage_path=path, name="e", verbose=0, resources={"cpu": 2})
    return tune.Tuner(reads_digits, param_space=space, tune_config=config, run_config=run)

if __name__ == "__main__":
    tuner(sys.argv[1], sys.argv[2]).fit()
"""


def killed_in_the_middle(script: Path, kind: str, path: Path) -> None:
    driver = subprocess.Popen([sys.executable, str(script), kind, str(path)], start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and driver.poll() is None:
            if (path / "e" / "events").exists():
                told = Counter(type(event).__name__ for event in events_of(str(path / "e")))
                if told["Reported"] >= 14:
                    break
            time.sleep(0.05)
        assert driver.poll() is None, "it came to its end before it could be killed"
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()


@pytest.mark.parametrize("kind", ["bohb", "walk"])
def test_killed_and_taken_up_again_every_trial_is_told_once(tmp_path, kind):
    script = tmp_path / "digits.py"
    script.write_text(SCRIPT)
    killed_in_the_middle(script, kind, tmp_path)
    trainable = runpy.run_path(str(script), run_name="digits")["reads_digits"]
    grid = tune.Tuner.restore(str(tmp_path / "e"), trainable=trainable).fit()
    assert len(grid) == 17
    assert grid.num_errors == 0
    events = list(events_of(str(tmp_path / "e")))
    ended = Counter(event.trial for event in events if isinstance(event, ev.Ended))
    assert len(ended) == 17
    assert set(ended.values()) == {1}
    assert any(isinstance(event, ev.Launched) and event.restore for event in events)
    assert grid.get_best_result("accuracy", "max").metrics["accuracy"] > 0.85
