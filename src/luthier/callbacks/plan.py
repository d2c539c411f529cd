"""What is about to be run, in one sentence, before the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from luthier.callbacks.spelling import counted, duration, plain_text
from luthier.core.resources import spelled

if TYPE_CHECKING:
    from collections.abc import Mapping


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of an experiment that a person wants to see before it starts.

    Attributes:
        trials: how many there will be; None where there is no end.
        grid: how many points the grid has; 1 where there is none.
        samples: how many times the grid is gone through (``num_samples``); None where there is no end.
        searcher: what chooses configs, e.g. ``"random search"``.
        scheduler: what judges trials, e.g. ``"ASHA"``; empty for none.
        goals: what is optimised: pairs of a metric and ``"min"`` or ``"max"``.
        request: what a trial asks for; None where that depends on its config.
        total: what all workers have together.
        max_concurrent: how many trials may run at once, or None.
        time_budget: seconds after which the experiment stops, or None.
        directory: where results go.
        done: how many trials had ended before, where the experiment goes on.
    """

    trials: int | None
    directory: str
    searcher: str = "random search"
    grid: int = 1
    samples: int | None = 1
    scheduler: str = ""
    goals: list[tuple[str, str]] = []
    request: dict[str, float] | None = None
    total: dict[str, float] = {}
    max_concurrent: int | None = None
    time_budget: float | None = None
    done: int = 0

    @property
    def at_a_time(self) -> int | None:
        """How many trials fit at once; None where nobody can tell."""
        most = [] if self.trials is None else [self.trials]
        most += [] if self.max_concurrent is None else [self.max_concurrent]
        if self.request:
            most += [int(self.total.get(name, 0.0) / amount + 1e-9) for name, amount in self.request.items() if amount]
        elif not self.max_concurrent:
            return None
        return max(1, min(most))


def plan_line(plan: Plan) -> str:
    """Return *plan* as one sentence.

    >>> plan_line(Plan(trials=8, grid=4, samples=2, scheduler="ASHA", goals=[("loss", "min")],
    ...                request={"cpu": 1.0}, total={"cpu": 2.0}, directory="results/quick"))
    "8 trials (grid of 4 x 2 samples), random search, ASHA on 'loss' (min), 2 at a time with 1 cpu each on 2 cpu;
     results in results/quick"
    """
    parts = [_how_many(plan), plan.searcher]
    goal = ", ".join(f"{metric!r} ({mode})" for metric, mode in plan.goals)
    if plan.scheduler:
        parts.append(f"{plan.scheduler} on {goal}" if goal else plan.scheduler)
    elif goal:
        parts.append(f"for the best {goal}")
    parts.append(_how(plan))
    if plan.time_budget is not None:
        parts.append(f"for {duration(plan.time_budget)} at most")
    return plain_text(", ".join(part for part in parts if part) + f"; results in {plan.directory}")


def _how_many(plan: Plan) -> str:
    count = "trials without end" if plan.trials is None else counted(plan.trials, "trial")
    if plan.grid > 1:
        times = "without end" if plan.samples is None else counted(plan.samples, "sample")
        count += f" (grid of {plan.grid} x {times})" if plan.samples != 1 else f" (grid of {plan.grid})"
    if plan.done:
        count += f", {plan.done} of them done before"
    return count


def _how(plan: Plan) -> str:
    at_a_time = plan.at_a_time
    count = "as many at a time as fit" if at_a_time is None else f"{at_a_time} at a time"
    asks = f" with {spelled(plan.request)} each" if plan.request else ""
    return count + asks + (f" on {_machine(plan.total)}" if plan.total else "")


def _machine(total: Mapping[str, float]) -> str:
    """Return what there is, without what people do not think of (memory in bytes and the like)."""
    told = {name: amount for name, amount in total.items() if amount and not name.startswith("_") and name != "memory"}
    return spelled(told)
