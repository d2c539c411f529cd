"""Who takes part: one line each, by the names of the registry.  Who is not there yet does not take part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.regret.extrapolation import Extrapolation
from benchmarks.regret.training import AXES, SPACE, R
from luthier.schedulers.explore import Mutations
from luthier.schedulers.registry import SCHEDULERS, create_scheduler

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.core.policy import Scheduler

NOBODY = "random search, no stopping"  # whom the others are compared with
ASHA = "ASHA"
STEP = "training_iteration"
EVERY = R // 16  # steps between two perturbations


def registered(name: str, **arguments: Any) -> Callable[[], Scheduler] | None:
    """Return what makes the scheduler called *name*; None where the registry has none."""
    return (lambda: create_scheduler(name, **arguments)) if name in SCHEDULERS else None


MADE: dict[str, Callable[[], Scheduler] | None] = {
    NOBODY: registered("fifo"),
    ASHA: registered("asha", max_t=R, grace_period=1, reduction_factor=4),
    "extrapolated curves": lambda: Extrapolation(R, grace_period=4),
    "ASHA, promoting": registered("asha_promotion", max_t=R, grace_period=1, reduction_factor=4),
    "PASHA": registered("pasha", max_t=R, grace_period=1, reduction_factor=4),
    "HyperBand": registered("hyperband", max_t=R, reduction_factor=4),
    "median rule": registered("median", time_attr=STEP, grace_period=4, min_samples_required=3),
    "PBT": lambda: create_scheduler(
        "pbt", explore=Mutations(AXES), time_attr=STEP, perturbation_interval=EVERY, require_attrs=False
    ),
}
CONTENDERS = {name: make for name, make in MADE.items() if make is not None}
__all__ = ["ASHA", "CONTENDERS", "EVERY", "NOBODY", "SPACE"]
