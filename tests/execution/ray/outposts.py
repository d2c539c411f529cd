"""Nodes of a cluster that come and go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.execution.ray.conftest import STORE

if TYPE_CHECKING:
    import random

CPUS, NODES = 1, 2


class Outposts:
    """The nodes beside the head, each with one CPU.

    Args:
        cluster: whose they are.
    """

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self._nodes: list[Any] = []
        self.man()

    def man(self) -> None:
        """Add nodes until all are there again."""
        while len(self._nodes) < NODES:
            self._nodes.append(self._cluster.add_node(num_cpus=CPUS, object_store_memory=STORE))

    def lose(self, chance: random.Random, how: str = "killed") -> None:
        """Lose a node, if there is one.

        Args:
            chance: chooses it.
            how: its raylet is "killed"; is "stopped" for longer than the cluster waits for it; or it is "removed" as
                ``ray stop`` does it.
        """
        if not self._nodes:
            return
        node = self._nodes.pop(chance.randrange(len(self._nodes)))
        if how == "killed":
            (raylet,) = node.all_processes["raylet"]
            raylet.process.kill()
            raylet.process.wait()
        elif how == "stopped":
            (raylet,) = node.all_processes["raylet"]
            raylet.process.send_signal(19)
            time.sleep(1.5)
        self._cluster.remove_node(node, allow_graceful=how == "removed")

    def close(self) -> None:
        """Remove those that are there."""
        while self._nodes:
            self._cluster.remove_node(self._nodes.pop())
