"""Chronicles made by hand."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from luthier.core.goal import Goal
from luthier.plots.chronicle import Chronicle, Curve, Span, Trial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOSS = (Goal("loss", "min"),)


def chronicle(
    configs: Sequence[Mapping[str, Any]],
    goals: tuple[Goal, ...] = LOSS,
    statuses: Sequence[str] = (),
    names: Sequence[str] = (),
    **metrics: Sequence[float | None],
) -> Chronicle:
    """Return an experiment whose trials reported once: the values of *metrics*, None for nothing."""
    trials = []
    for k, config in enumerate(configs):
        last = {name: values[k] for name, values in metrics.items() if values[k] is not None}
        status, name = statuses[k] if statuses else "done", names[k] if names else f"trial_{k}"
        trials.append(Trial(k, f"t{k}", name, status, dict(config), last, len(last), float(k), k + 1.0))
    found = Chronicle(trials, goals, name="made", started=0.0, updated=float(len(trials)), reports=len(trials))
    for name, values in metrics.items():
        found.curves[name] = {k: curve([1], [v]) for k, v in enumerate(values) if v is not None}
    found.spans = [Span(k, 1, "w", float(k), k + 1.0, "done") for k in range(len(trials))]
    return found


def curve(steps: Sequence[float], values: Sequence[float]) -> Curve:
    return Curve(array("d", steps), array("d", values))
