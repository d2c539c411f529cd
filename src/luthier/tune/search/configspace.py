"""Spaces of the ConfigSpace library as ours."""

from __future__ import annotations

from typing import Any

from luthier.core.errors import BadArgument
from luthier.core.space import Categorical, Float, Integer, Space


def space_of(configuration_space: Any) -> Space:
    """Return a ``ConfigSpace.ConfigurationSpace`` as a space.

    Uniform numbers keep bounds, logarithm and integer-ness; choices with equal weights, ordinals and constants are
    what they are.

    Raises:
        BadArgument: it has conditions, forbidden clauses, weights, or another distribution.
    """
    for name in ("conditions", "forbidden_clauses"):
        if len(getattr(configuration_space, name, ())):
            wanted = "a space of luthier.tune: a tune.choice between dicts makes what is in them conditional"
            raise BadArgument("space", configuration_space, wanted, f"its {name.replace('_', ' ')} cannot be converted")
    return Space({str(name): _domain(parameter) for name, parameter in dict(configuration_space).items()})


def _domain(parameter: Any) -> Any:
    kind = type(parameter).__name__
    if kind == "UniformFloatHyperparameter":
        return Float(float(parameter.lower), float(parameter.upper), log=bool(parameter.log))
    if kind == "UniformIntegerHyperparameter":
        return Integer(int(parameter.lower), int(parameter.upper), log=bool(parameter.log))
    if kind == "OrdinalHyperparameter":
        return Categorical([_plain(value) for value in parameter.sequence])
    if kind == "Constant":
        return _plain(parameter.value)
    if kind == "CategoricalHyperparameter":
        weights = [float(weight) for weight in parameter.probabilities]
        if max(weights) - min(weights) < 1e-9:  # noqa: PLR2004 (rounding)
            return Categorical([_plain(value) for value in parameter.choices])
        kind = "choice with weights"
    wanted = "uniform floats and integers, choices with equal weights, ordinals and constants"
    raise BadArgument("space", parameter, wanted, f"a {kind} cannot be converted")


def _plain(value: Any) -> Any:
    """Return a value of numpy's as Python's."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
