"""What waits for room, as a cluster's autoscaler sees it."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING, Any

from luthier.execution.ray.placement import spelled_for_ray

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.worker.bundles import PlacementGroupFactory

    Ask = tuple[tuple[tuple[str, float], ...], ...]

_PERIOD = 1.0  # seconds; autoscalers look every five
_REST = 0.1  # seconds for each group that was told: telling and taking back costs three milliseconds of them


class Demand:
    """One pending placement group for each trial that waits.

    Ray counts these when it decides on nodes, for all drivers together, and they go with their driver.  None is to get
    the room that it asks for: trials are placed by themselves.  So all are withdrawn whenever an actor is hired, and
    told anew a while later.

    Args:
        ray: the module.
        bundles: what every trial asks for, where that is several bundles.

    Attributes:
        due: when to :meth:`tell` (monotonic seconds).
    """

    def __init__(self, ray: Any, bundles: PlacementGroupFactory | None) -> None:
        self._ray, self._bundles = ray, bundles
        self._wanted: Counter[Ask] = Counter()
        self._told: list[tuple[Ask, Any]] = []
        self.due = math.inf

    def expect(self, requests: Sequence[Mapping[str, float]]) -> None:
        """Hear what waits, for :meth:`tell`; where nothing does, that is told at once."""
        self._wanted = Counter(self._asked(request) for request in requests if any(request.values()))
        if not self._wanted:
            self.withdraw()
            self.due = math.inf
        elif self.due == math.inf:
            self.due = monotonic() + _PERIOD

    def tell(self) -> None:
        """Bring what Ray knows up to date."""
        self.due = monotonic() + _PERIOD
        with contextlib.suppress(Exception):  # the cluster is going: others will say so
            missing = self._wanted.copy()
            states = self._ray.util.placement_group_table() if self._told else {}
            for ask, group in [*self._told]:
                pending = states.get(group.id.hex(), {}).get("state") in ("PENDING", "RESCHEDULING")
                if pending and missing[ask] > 0:
                    missing[ask] -= 1
                else:
                    self._told.remove((ask, group))
                    self._ray.util.remove_placement_group(group)
                    missing[ask] -= not pending  # it had room: that is now for who runs
            for ask in missing.elements():
                bundles = [dict(bundle) for bundle in ask]
                self._told.append((ask, self._ray.util.placement_group(bundles, strategy="PACK")))

    def withdraw(self) -> None:
        """Take back what was told, for a while."""
        told, self._told = self._told, []
        for _, group in told:
            with contextlib.suppress(Exception):
                self._ray.util.remove_placement_group(group)
        if self.due < math.inf:
            self.due = monotonic() + max(_PERIOD, _REST * len(told))

    def _asked(self, request: Mapping[str, float]) -> Ask:
        bundles = [dict(request)] if self._bundles is None else self._bundles.bundles
        spelled = [spelled_for_ray(bundle) for bundle in bundles]
        return tuple(tuple(sorted(bundle.items())) for bundle in spelled if any(bundle.values()))
