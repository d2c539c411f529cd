"""What a trainable asks for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.resources import checked
from luthier.worker.furnished import Furnished, check_furnishable, subclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from luthier.core.terms import Config

    Given: TypeAlias = "Mapping[str, float] | PlacementGroupFactory | Callable[[Config], Any]"
    Asked: TypeAlias = dict[str, float] | Callable[[Config], dict[str, float]]

T = TypeVar("T")


class PlacementGroupFactory(Mapping[str, float]):
    """Resources in bundles; a trial holds them all, on one machine.

    As a mapping it is their sum, under the names ``cpu``, ``gpu`` and custom ones.

    Args:
        bundles: dicts of resources; the first is the trial's own, and may be empty if others follow.
        strategy: accepted, without effect on one machine.
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
        self._sum = checked(self.required_resources, "bundles")

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


def asked(resources: object, argument: str) -> dict[str, float]:
    """Return *resources* as a checked vector; ``custom_resources`` in it are taken up into it.

    Raises:
        BadArgument: they are no resources.
    """
    if isinstance(resources, PlacementGroupFactory):
        return dict(resources)
    if not isinstance(resources, Mapping):
        raise BadArgumentType(argument, resources, "a dict such as {'cpu': 2, 'gpu': 1}, or a PlacementGroupFactory")
    flat = dict(resources)
    custom = flat.pop("custom_resources", None) or {}
    return checked({**flat, **custom}, argument)


def with_resources(trainable: T, resources: Given) -> T:
    """Return *trainable* asking for *resources*; each of its trials holds them while it runs.

    Args:
        trainable: a function or a subclass of Trainable; it stays as it is.
        resources: ``{"cpu": 2, "gpu": 0.5, "licence": 1}``, a :class:`PlacementGroupFactory`, or a function that
            makes either of a config.

    Raises:
        BadArgument: *trainable* is neither, or *resources* are negative or no numbers.

    >>> with_resources(lambda config: config["x"], {"cpu": 2})({"x": 3})
    3
    """
    check_furnishable(trainable, "with_resources")
    given: Any = resources if callable(resources) else asked(resources, "resources")
    if not inspect.isclass(trainable):
        return Furnished(trainable, resources=given)  # type: ignore[return-value,arg-type]  # called like it

    def default_resource_request(cls: type, config: dict[str, Any]) -> Any:  # noqa: ARG001
        return given(config) if callable(given) else given

    body = {"default_resource_request": classmethod(default_resource_request), "_resources": given}
    return subclass(trainable, body)  # type: ignore[return-value]


def request_of(trainable: Any) -> Asked | None:
    """Return what *trainable* asks for: a vector, a function of the config, or None where it says nothing.

    It says so by ``with_resources``, or as a class by ``default_resource_request``.
    """
    if inspect.isclass(trainable):
        request = getattr(trainable, "default_resource_request", None)
        if request is None:
            return None
        given = vars(trainable).get("_resources")
        if given is not None and not callable(given):
            return asked(given, "resources")

        def of_class(config: Config) -> dict[str, float]:
            given = request(config)
            return {"cpu": 1.0} if given is None else asked(given, f"{trainable.__name__}.default_resource_request()")

        return of_class if _overrides(trainable, "default_resource_request") else None
    given = getattr(trainable, "_resources", None)
    if given is None:
        return None
    if callable(given):
        return lambda config: asked(given(config), "resources(config)")
    return asked(given, "resources")


def _overrides(trainable: type, method: str) -> bool:
    """Whether a subclass defines *method* anew (the topmost class that has it only says what it would mean)."""
    owners = [cls for cls in trainable.__mro__ if method in vars(cls)]
    return len(owners) > 1
