"""User-written functions that allocate resources, in the core's form."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from luthier.tune.adapt.controller import TuneController
from luthier.tune.flat import flattened
from luthier.tune.trial import row
from luthier.worker.bundles import PlacementGroupFactory
from luthier.worker.resources import asked
from luthier.worker.trainable import fresh_copy

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.core.events import Reported
    from luthier.core.policy import ExperimentView
    from luthier.core.terms import TrialId
    from luthier.schedulers.resizing import Sizes


class Allotting(TuneController):
    """The ``tune_controller`` of an allocation function: trials already hold what they are about to get."""

    def __init__(self, experiment_dir: str) -> None:
        super().__init__(experiment_dir)
        self.sizes: Sizes | None = None
        self._bundles: dict[TrialId, PlacementGroupFactory] = {}

    def holding(self, trial: TrialId) -> PlacementGroupFactory:
        """Return what a trial has or is about to get, in the bundles that it was given."""
        if self.sizes is None:
            return super().holding(trial)
        size, given = self.sizes.of(trial, self.experiment), self._bundles.get(trial)
        return given if given is not None and dict(given) == size else PlacementGroupFactory.holding(size)

    def remember(self, trial: TrialId, given: object) -> None:
        """Note in which bundles a trial was given what it is to get."""
        if isinstance(given, PlacementGroupFactory):
            self._bundles[trial] = given


class Allocation:
    """Asks *function* ``(tune_controller, trial, result, scheduler)`` for what a trial is to have.

    Args:
        function: returns a PlacementGroupFactory, a dict of resources, or None to leave things as they are.
        scheduler: handed to *function*; ``scheduler.first`` is set to what the first trial was born with.
        experiment_dir: where the experiment is.
    """

    def __init__(self, function: Callable[..., Any], scheduler: Any, experiment_dir: str = "") -> None:
        self._function, self._scheduler = function, copy.copy(scheduler)
        self._controller = Allotting(experiment_dir)

    def __call__(self, news: Reported, experiment: ExperimentView, sizes: Sizes) -> dict[str, float] | None:
        """Return what the function says.

        Raises:
            BadArgument: it returned no resources.
        """
        controller, trial = self._controller, news.trial
        controller.sizes, self._scheduler.first = sizes, PlacementGroupFactory.holding(sizes.first or {})
        controller.open(experiment, None, "a function that allocates resources")
        try:
            seen = controller.trial(trial)
            result = flattened(fresh_copy(row(controller.view(trial), news.metrics)))  # type: ignore[arg-type]
            given = self._function(controller, seen, result, self._scheduler)
            controller.remember(trial, given)
            return None if given is None else asked(given, "resources_allocation_function(...)")
        except Exception as error:
            error.add_note(f"in the function that allocates resources, about trial {trial}")
            raise
        finally:
            controller.sizes = None
            controller.close()
