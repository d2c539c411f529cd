"""Trainables and judges that contracts and tests share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.checkpoints.base import Checkpoint
from luthier.core import events as ev
from luthier.core.policy import Pause, Resume, Stop
from luthier.core.terms import Status
from luthier.worker.context import get_context
from luthier.worker.session import get_checkpoint, report
from luthier.worker.trainable import Trainable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.terms import Config


def counting(config: Config) -> None:
    """Report ``config["n"]`` times."""
    for i in range(config["n"]):
        report({"i": i})


def resuming(config: Config) -> None:
    """Count on from the checkpoint; report the count with a checkpoint each time, up to ``config["n"]``."""
    start, restored = 0, get_checkpoint()
    if restored is not None:
        with restored.as_directory() as folder:
            start = int((Path(folder) / "count").read_text())
    for i in range(start + 1, config["n"] + 1):
        scratch = Path(get_context().get_trial_dir() or "") / "scratch"
        scratch.mkdir(exist_ok=True)
        (scratch / "count").write_text(str(i))
        report({"count": i, "from": start}, checkpoint=Checkpoint.from_directory(scratch))


class Counter(Trainable):
    """Counts its steps; done after ``config["n"]``."""

    def setup(self, config: Config) -> None:
        """Start at 0."""
        self.count = 0

    def step(self) -> dict[str, Any]:
        """Count one on."""
        self.count += 1
        return {"count": self.count, "done": self.count >= self.config["n"]}

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Return the count."""
        return {"count": self.count}

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Go on from the count."""
        self.count = checkpoint["count"]


class Reusable(Counter):
    """A counter that can be given a new config; says how often it was."""

    resets = 0

    def reset_config(self, new_config: Config) -> bool:
        """Start again at 0."""
        self.count, self.resets = 0, self.resets + 1
        return True

    def step(self) -> dict[str, Any]:
        """Count one on."""
        return {**super().step(), "resets": self.resets, "config_n": self.config["n"]}


def same(a: object, b: object) -> bool:
    """Return whether two values are equal, NaN equals NaN, and all types are the same."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and math.isnan(a):
        return isinstance(b, float) and math.isnan(b)
    return bool(a == b)


def stop_at(iteration: int) -> Callable[[ev.News, ExperimentView], Sequence[Decision]]:
    """Return a judge that stops a trial at that training iteration."""

    def judge(news: ev.News, experiment: ExperimentView) -> Sequence[Decision]:
        if isinstance(news, ev.Reported) and news.metrics["training_iteration"] >= iteration:
            return [Stop(news.trial, "enough")]
        return ()

    return judge


def pause_at(iteration: int) -> Callable[[ev.News, ExperimentView], Sequence[Decision]]:
    """Return a judge that pauses a trial at that training iteration, and resumes all when nothing else runs."""

    def judge(news: ev.News, experiment: ExperimentView) -> Sequence[Decision]:
        if isinstance(news, ev.Reported) and news.metrics["training_iteration"] == iteration:
            return [Pause(news.trial, "let others go first")]
        if isinstance(news, ev.Stalled):
            return [Resume(trial) for trial in experiment.having(Status.PAUSED)]
        return ()

    return judge
