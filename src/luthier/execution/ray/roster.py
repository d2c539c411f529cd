"""The nodes of a cluster as workers: which there are, which came, which are gone."""

from __future__ import annotations

import math
from time import monotonic
from typing import TYPE_CHECKING

from luthier.core.errors import LuthierError
from luthier.core.events import WorkerJoined, WorkerLost
from luthier.core.resources import total
from luthier.core.terms import WorkerId
from luthier.execution.ray.placement import ANYWHERE

if TYPE_CHECKING:
    from luthier.execution.ray.cluster import Cluster

_LOOK = 1.0  # seconds between two looks


class Roster:
    """Knows the workers.

    Args:
        cluster: whose nodes they are.
        spread: whether the whole cluster is one worker, since Ray may spread what a trial holds over its nodes.

    Attributes:
        due: when to look again (monotonic seconds).
    """

    def __init__(self, cluster: Cluster, *, spread: bool) -> None:
        self._cluster, self._spread = cluster, spread
        self._workers: dict[str, dict[str, float]] = {}
        self.due = -math.inf

    @property
    def has_gpus(self) -> bool:
        """Whether there is a GPU anywhere."""
        return any("gpu" in resources for resources in self._cluster.nodes().values())

    def look(self) -> list[WorkerJoined | WorkerLost]:
        """Return what is new since the last look.

        Raises:
            LuthierError: the cluster does not answer.
        """
        self.due = monotonic() + _LOOK
        try:
            nodes = self._cluster.nodes()
        except Exception as error:
            raise LuthierError(f"the Ray cluster does not answer any more: {error}") from error
        former, self._workers = self._workers, {ANYWHERE: total(nodes)} if self._spread and nodes else nodes
        joined = [(name, has) for name, has in self._workers.items() if former.get(name) != has]
        lost = [name for name in former if name not in self._workers]
        return [
            *(WorkerJoined(WorkerId(name), dict(has)) for name, has in joined),
            *(WorkerLost(WorkerId(name)) for name in lost),
        ]
