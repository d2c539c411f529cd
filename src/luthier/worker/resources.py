"""What a trainable asks for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from luthier.core.errors import BadArgumentType
from luthier.core.resources import checked
from luthier.worker.bundles import PlacementGroupFactory
from luthier.worker.furnished import Furnished, check_furnishable, subclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.core.terms import Config

    Given: TypeAlias = "Mapping[str, float] | PlacementGroupFactory | Callable[[Config], Any]"
    Asked: TypeAlias = dict[str, float] | Callable[[Config], dict[str, float]]

T = TypeVar("T")


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
    given: Any = resources
    if not callable(resources):
        asks = asked(resources, "resources")
        given = resources if isinstance(resources, PlacementGroupFactory) else asks
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


def bundles_of(trainable: Any, config: Config | None) -> PlacementGroupFactory | None:
    """Return the bundles that *trainable* asks for with *config*; None where it asks for one at most.

    Args:
        trainable: a function or a subclass of Trainable.
        config: the trial's; where None, only what holds for all trials counts.

    >>> bundles_of(with_resources(print, PlacementGroupFactory([{"CPU": 1}, {"CPU": 2}])), None)
    PlacementGroupFactory([{'CPU': 1.0}, {'CPU': 2.0}], strategy='PACK')
    """
    given = getattr(trainable, "_resources", None)
    if given is None and inspect.isclass(trainable) and _overrides(trainable, "default_resource_request"):
        given = trainable.default_resource_request  # type: ignore[attr-defined]
    if callable(given):
        given = None if config is None else given(config)
    several = isinstance(given, PlacementGroupFactory) and (len(given.bundles) > 1 or given.head_bundle_is_empty)
    return given if several else None


def _overrides(trainable: type, method: str) -> bool:
    """Whether a subclass defines *method* anew (the topmost class that has it only says what it would mean)."""
    owners = [cls for cls in trainable.__mro__ if method in vars(cls)]
    return len(owners) > 1
