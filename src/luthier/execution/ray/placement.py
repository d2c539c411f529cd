"""Where an actor is placed, and what is reserved for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core.resources import checked

if TYPE_CHECKING:
    from luthier.worker.assignment import Assignment
    from luthier.worker.bundles import PlacementGroupFactory

ANYWHERE = "ray"  # the one worker that a cluster is where Ray places bundles on several nodes
_SPELLED = {"cpu": "CPU", "gpu": "GPU"}


class Placement(msgspec.Struct, frozen=True):
    """Where an actor goes.

    Attributes:
        resources: what the actor itself holds.
        strategy: Ray's scheduling strategy.
        group: the placement group that was made for it; None without.
    """

    resources: dict[str, float]
    strategy: Any
    group: Any = None


def placement(ray: Any, assignment: Assignment, node: str, bundles: PlacementGroupFactory | None) -> Placement:
    """Return where an attempt goes: on *node*, or with its *bundles* where their strategy wants them.

    What the trial starts itself, by ``ray.remote`` say, runs within the bundles unless it says otherwise.

    Args:
        ray: the module.
        assignment: the attempt.
        node: the worker that it was launched on.
        bundles: what it asks for, where that is more than one bundle.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy, PlacementGroupSchedulingStrategy

    if bundles is None:
        there = "DEFAULT" if node == ANYWHERE else NodeAffinitySchedulingStrategy(node, soft=False)
        return Placement(assignment.resources, there)
    wanted = [spelled_for_ray(bundle) for bundle in bundles.bundles]
    if node == ANYWHERE:
        group = ray.util.placement_group(wanted, strategy=bundles.strategy)
    else:
        group = ray.util.placement_group(wanted, strategy="STRICT_PACK", _soft_target_node_id=node)
    head = {} if bundles.head_bundle_is_empty else checked(bundles.bundles[0], "bundles[0]")
    strategy = PlacementGroupSchedulingStrategy(
        group,
        placement_group_bundle_index=0 if head else -1,
        placement_group_capture_child_tasks=True,
    )
    return Placement(head, strategy, group)


def spelled_for_ray(bundle: dict[str, float]) -> dict[str, float]:
    """Return a bundle under Ray's names.

    >>> spelled_for_ray({"cpu": 2.0, "licence": 1.0})
    {'CPU': 2.0, 'licence': 1.0}
    """
    return {_SPELLED.get(name.lower(), name): amount for name, amount in bundle.items()}
