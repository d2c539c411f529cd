"""Resources in bundles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.resources import checked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SPELLED = {"cpu": "CPU", "gpu": "GPU"}


class PlacementGroupFactory(Mapping[str, float]):
    """Resources in bundles; a trial holds them all.

    As a mapping it is their sum, under the names ``cpu``, ``gpu`` and custom ones.

    Args:
        bundles: dicts of resources; the first is the trial's own, and may be empty if others follow.
        strategy: how a Ray cluster spreads them over its nodes; without effect on one machine.
        args: accepted, without effect.
        kwargs: accepted, without effect.

    >>> dict(PlacementGroupFactory([{"CPU": 1, "GPU": 0.5}, {"CPU": 2}]))
    {'cpu': 3.0, 'gpu': 0.5}
    """

    def __init__(
        self, bundles: Sequence[Mapping[str, float]], strategy: str = "PACK", *args: Any, **kwargs: Any
    ) -> None:
        if isinstance(bundles, Mapping | str) or not all(isinstance(bundle, Mapping) for bundle in bundles):
            raise BadArgumentType("bundles", bundles, "a list of dicts such as [{'CPU': 1}]")
        if not bundles:
            raise BadArgument("bundles", bundles, "at least one bundle, e.g. [{'CPU': 1}]")
        for i, bundle in enumerate(bundles):
            if not checked(bundle, f"bundles[{i}]") and (i > 0 or len(bundles) == 1):
                raise BadArgument(f"bundles[{i}]", bundle, "a bundle with something in it")
        self.head_bundle_is_empty = not checked(bundles[0], "bundles[0]")
        self._bundles = [{name: float(amount) for name, amount in bundle.items() if amount} for bundle in bundles]
        self.strategy = strategy
        self._sum: dict[str, float] = {}
        for bundle in self._bundles:
            for name, amount in checked(bundle, "bundles").items():
                self._sum[name] = self._sum.get(name, 0.0) + amount

    @classmethod
    def holding(cls, resources: Mapping[str, float]) -> PlacementGroupFactory:
        """Return *resources* (``cpu``, ``gpu``, custom names) as one bundle; it may be empty.

        >>> PlacementGroupFactory.holding({"cpu": 2.0}).required_resources
        {'CPU': 2.0}
        """
        bundle = {_SPELLED.get(name, name): amount for name, amount in resources.items() if amount}
        made = cls([bundle or {"CPU": 1.0}])
        if not bundle:  # a trial that asks for nothing
            made._bundles, made._sum = [{}], {}
        return made

    @property
    def bundles(self) -> list[dict[str, float]]:
        """The bundles, without the zeros and without an empty first one."""
        return [dict(bundle) for bundle in self._bundles[self.head_bundle_is_empty :]]

    @property
    def head_cpus(self) -> float:
        """CPUs of the first bundle."""
        return checked(self._bundles[0], "bundles[0]").get("cpu", 0.0)

    @property
    def required_resources(self) -> dict[str, float]:
        """The sum of the bundles, under the names that they use."""
        total: dict[str, float] = {}
        for bundle in self._bundles:
            for name, amount in bundle.items():
                total[name] = total.get(name, 0.0) + amount
        return total

    def __getitem__(self, name: str) -> float:
        return self._sum[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sum)

    def __len__(self) -> int:
        return len(self._sum)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PlacementGroupFactory):
            return NotImplemented
        return (self._bundles, self.strategy) == (other._bundles, other.strategy)

    def __hash__(self) -> int:
        return hash((self.strategy, *(tuple(sorted(bundle.items())) for bundle in self._bundles)))

    def __repr__(self) -> str:
        return f"PlacementGroupFactory({self._bundles!r}, strategy={self.strategy!r})"
