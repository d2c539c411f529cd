"""Resources in bundles, at Ray Tune's path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.worker.bundles import PlacementGroupFactory

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PlacementGroupFactory", "resource_dict_to_pg_factory"]

_SPELLED = {"cpu": "CPU", "gpu": "GPU"}


def resource_dict_to_pg_factory(spec: Mapping[str, float]) -> PlacementGroupFactory:
    """Return the resources *spec* as one bundle.

    Raises:
        BadArgument: they are none, or negative.

    >>> resource_dict_to_pg_factory({"cpu": 2, "gpu": 1}).required_resources
    {'CPU': 2.0, 'GPU': 1.0}
    """
    return PlacementGroupFactory([{_SPELLED.get(name, name): amount for name, amount in spec.items()}])
