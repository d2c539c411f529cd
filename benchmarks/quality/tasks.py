"""What is searched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.quality import functions as f
from benchmarks.quality import models
from luthier.core.rng import rng_at
from luthier.core.terms import Config


class Task(NamedTuple):
    """Something that is to be minimised.

    Attributes:
        name: what it is called.
        kind: ``"continuous"`` (numbers alone), ``"mixed"`` (choices and conditions) or ``"real"`` (a model is trained).
        space: its domains.
        loss: what is minimised.
        least: the least loss; None where nobody knows it.
        held_out: whether no searcher of ours was ever chosen or changed by it.
    """

    name: str
    kind: str
    space: dict[str, Any]
    loss: Callable[[Config], float]
    least: float | None = 0.0
    held_out: bool = False

    def moved(self, seed: int) -> Task:
        """Return the task that a *seed* stands for: where all is numbers, the function is moved along each axis.

        By a tenth of the axis at most, so that the minimum stays inside.  Some searches begin in the middle and leave
        nothing to chance: without that, all their runs would be one.
        """
        if self.kind != "continuous":
            return self
        steps = {
            name: 0.1 * (axis.upper - axis.lower) * rng_at(seed, _PLACE, k).uniform(-1, 1)
            for k, (name, axis) in enumerate(self.space.items())
        }
        return self._replace(loss=lambda config: self.loss({name: config[name] + by for name, by in steps.items()}))


_PLACE = 0x9A1  # stream of where functions are moved to
TASKS = {
    task.name: task
    for task in (
        Task("Branin", "continuous", f.cube([(-5.0, 10.0), (0.0, 15.0)]), f.branin),
        Task("Hartmann6", "continuous", f.box(6, 0.0, 1.0), f.hartmann6),
        Task("Ackley5", "continuous", f.box(5, -32.768, 32.768), f.ackley),
        Task("Rosenbrock5", "continuous", f.box(5, -5.0, 10.0), f.rosenbrock),
        Task("Levy10", "continuous", f.box(10, -10.0, 10.0), f.levy),
        Task("Models", "mixed", f.MODELS, f.models),
        Task("SVM", "real", models.SVM, models.svm, least=None),
        Task("Boosted trees", "real", models.TREES, models.trees, least=None),
        Task("Network", "real", models.NETWORK, models.network, least=None),
        Task("Shekel4", "continuous", f.box(4, 0.0, 10.0), f.shekel, held_out=True),
        Task("Dixon-Price6", "continuous", f.box(6, -10.0, 10.0), f.dixon_price, held_out=True),
        Task("Training", "mixed", f.TRAINING, f.training, held_out=True),
    )
}
