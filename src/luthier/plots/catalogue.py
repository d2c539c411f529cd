"""All figures by name, in the order in which a report shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from luthier.plots.contours import contours
from luthier.plots.curves import learning_curves
from luthier.plots.descent import lineage
from luthier.plots.distribution import edf
from luthier.plots.history import optimization_history
from luthier.plots.importances import param_importances
from luthier.plots.parallel import parallel_coordinate
from luthier.plots.pareto import pareto_front
from luthier.plots.ranks import ranks
from luthier.plots.rungs import rungs
from luthier.plots.slices import slices
from luthier.plots.timeline import timeline


class Entry(msgspec.Struct, frozen=True):
    """A kind of figure.

    Attributes:
        draw: takes a chronicle, and a metric where it is *measured*; returns the figure.
        measured: whether it is about one metric.
    """

    draw: Callable[..., Any]
    measured: bool = True


FIGURES: Mapping[str, Entry] = {
    "optimization_history": Entry(optimization_history),
    "learning_curves": Entry(learning_curves),
    "pareto_front": Entry(pareto_front, measured=False),
    "param_importances": Entry(param_importances),
    "parallel_coordinate": Entry(parallel_coordinate),
    "slice": Entry(slices),
    "contour": Entry(contours),
    "rank": Entry(ranks),
    "edf": Entry(edf),
    "rungs": Entry(rungs, measured=False),
    "lineage": Entry(lineage, measured=False),
    "timeline": Entry(timeline, measured=False),
}
