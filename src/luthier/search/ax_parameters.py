"""Spaces as Ax has them: a list of parameters, the way from their values to ours, and back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space import Categorical, Float, Integer, Space
from luthier.search.distinct import size
from luthier.search.flat_axes import FlatAxes
from luthier.search.optuna_space import nested

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.rng import Rng
    from luthier.core.space import Domain
    from luthier.core.terms import Config
    from luthier.search.flat_axes import Part

    Parameter = Mapping[str, Any]  # as AxClient.create_experiment() takes it

_NARROW = 1e-4  # Ax takes no range that is not a little wider than 1.5e-5
_FAR = 2**31  # whole numbers further apart are places in [0, 1]
_PLAIN = (str, bool, int, float)  # types that Ax's values may have


class AxParameters:
    """All axes of *space* with more than one value, side by side: those that are not alive are passed over.

    Args:
        space: what is searched.
        given: the user's own parameters, whose space *space* is; None: they are made.

    Attributes:
        specs: the parameters.
        parts: one for each that there is a choice of.
        finite: whether Ax sees no real number among them.
        size: how many configs there are, were all axes alive.

    Raises:
        BadArgument: an axis is a grid.

    >>> axes = AxParameters(Space({"x": Float(1.0, 9.0), "kind": Categorical(["a", "b", "c"])}))
    >>> axes.specs[0]
    {'name': 'x', 'type': 'range', 'bounds': [1.0, 9.0], 'value_type': 'float', 'log_scale': False}
    >>> axes.values({"x": 2.0, "kind": "b"})
    {'x': 2.0, 'kind': 'b'}
    """

    def __init__(self, space: Space, given: Sequence[Parameter] | None = None) -> None:
        self.space, self._axes = space, FlatAxes(space, "Ax")
        names = None if given is None else {spec["name"] for spec in given}
        self.parts = [
            Knob(part, native=names is not None)
            for part in self._axes.parts
            if names is None or part.axis.name in names
        ]
        self.size = math.prod(size(knob.domain) for knob in self.parts)
        self.finite = all(knob.spec.get("value_type") != "float" or knob.kind == "choice" for knob in self.parts)
        self._fixed: dict[str, Any] = {}
        if given is not None:
            self._fixed = {spec["name"]: spec["value"] for spec in given if spec["type"] == "fixed"}
            alone = (axis for axis in space.axes if axis.name in names and size(axis.domain) == 1)  # type: ignore[operator]
            self._fixed |= {axis.name: axis.domain.from_unit(0.5) for axis in alone}
        self.specs = [knob.spec for knob in self.parts] if given is None else [dict(spec) for spec in given]

    def config(self, values: Mapping[str, Any], rng: Rng) -> Config:
        """Return the config where Ax's parameters are *values*; *rng* is for what is computed."""
        places = {knob.number: knob.part.unit(knob.place(values[knob.name])) for knob in self.parts}
        return self.space.decode([places.get(axis.number, 0.5) for axis in self.space.axes], rng)

    def values(self, config: Config) -> dict[str, Any] | None:
        """Return Ax's parameters of *config*; None if it is not of this space."""
        try:
            units = self.space.encode(config)
        except BadArgument:
            return None
        return {knob.name: knob.value(knob.part.value(units[knob.number])) for knob in self.parts} | self._fixed

    def fits(self, constrained: Mapping[str, float], text: str) -> None:
        """Complain of a constraint on the parameters *constrained* that Ax would understand otherwise than the user.

        Raises:
            BadArgument: it is about a parameter that is not the user's number, or is not always there.
        """
        for knob in self.parts:
            if knob.name in constrained and (knob.kind != "range" or knob.part.axis.condition is not None):
                wanted = "constraints on numbers that are always there, on a linear scale and without q"
                raise BadArgument("parameter_constraints", text, wanted, f"{knob.name!r} is none")


class Knob:
    """One axis as Ax has it.

    ``range``: Ax knows the number itself.  ``choice``: it knows the options themselves.  ``option``: it knows their
    numbers.  ``step``: it knows the number of the multiple of q.  ``place``: it knows the place in [0, 1].

    Args:
        part: the axis.
        native: whether its values are Ax's in any case.
    """

    def __init__(self, part: Part, *, native: bool = False) -> None:
        domain: Any = part.axis.domain
        self.part, self.domain, self.name, self.number = part, domain, part.axis.name, part.axis.number
        self.kind, self.count = _kind(domain), 0
        if native:
            self.kind = "choice" if isinstance(domain, Categorical) else "range"
        self.spec: dict[str, Any] = {"name": self.name, "type": "range"}
        if self.kind == "choice":
            numbers = type(domain.options[0]) in (int, float)
            order = {"is_ordered": numbers or len(domain.options) == 2, "sort_values": numbers}  # noqa: PLR2004 (as Ax)
            self.spec |= {"type": "choice", "values": list(domain.options), **order}
            self.spec["value_type"] = type(domain.options[0]).__name__
        elif self.kind == "option":
            few = len(domain.options) == 2  # noqa: PLR2004 (two have no order)
            order = {"is_ordered": few, "sort_values": few}
            self.spec |= {"type": "choice", "values": list(range(len(domain.options))), "value_type": "int", **order}
        elif self.kind == "step":
            self.count = int(size(domain))
            self.spec |= {"bounds": [0, self.count - 1], "value_type": "int"}
        elif self.kind == "place":
            self.spec |= {"bounds": [0.0, 1.0], "value_type": "float"}
        else:
            what = "int" if isinstance(domain, Integer) else "float"
            self.spec |= {"bounds": [domain.lower, domain.upper], "value_type": what, "log_scale": domain.log}

    def value(self, place: float) -> Any:
        """Return Ax's value for a place in [0, 1], or for the number of an option."""
        if self.kind == "choice":
            return self.domain.options[int(place)]
        if self.kind == "option":
            return int(place)
        if self.kind == "step":
            k = round(place * (self.count - 1)) if isinstance(self.domain, Float) else int(place * self.count)
            return min(max(k, 0), self.count - 1)
        return self.domain.from_unit(place) if self.kind == "range" else float(place)

    def place(self, value: Any) -> float:
        """Return the place of Ax's *value* in [0, 1], or the number of the option that it is."""
        if self.kind == "choice":
            return int(self.domain.index(value))
        if self.kind == "step":
            return float(value / (self.count - 1) if isinstance(self.domain, Float) else (value + 0.5) / self.count)
        return float(self.domain.to_unit(value)) if self.kind == "range" else float(value)


def _kind(domain: Domain) -> str:
    if isinstance(domain, Categorical):
        options = domain.options
        plain = type(options[0]) in _PLAIN and all(type(option) is type(options[0]) for option in options)
        finite = plain and all(not isinstance(option, float) or math.isfinite(option) for option in options)
        return "choice" if finite and len(set(options)) == len(options) else "option"
    if isinstance(domain, Float) and domain.q is None:
        return "range" if domain.upper - domain.lower > _NARROW else "place"
    if isinstance(domain, Integer) and domain.q == 1:
        return "range" if domain.count < _FAR else "place"
    if isinstance(domain, (Float, Integer)) and not domain.log and size(domain) < _FAR:
        return "step"
    return "place"


def converted(parameters: Sequence[Parameter]) -> Space:
    """Return Ax's *parameters* as a space of ours; a ``/`` in a name is a dict within.

    Raises:
        BadArgument: one of them cannot be read, or has others that depend on it.

    >>> converted([{"name": "x", "type": "range", "bounds": [1, 9]}, {"name": "a/b", "type": "fixed", "value": 3}])
    Space({'x': Integer(1, 9, False, 1), 'a': {'b': 3}})
    """
    return Space(nested({spec["name"]: _value(i, spec) for i, spec in enumerate(map(_checked, parameters))}))


def _checked(spec: Parameter) -> Parameter:
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        wanted = "dicts such as {'name': 'x', 'type': 'range', 'bounds': [0.0, 1.0]}"
        raise BadArgumentType("space", spec, wanted)
    if spec.get("dependents"):
        wanted = "a tune.choice between dicts: what is in them depends on it"
        raise BadArgument("space", spec, wanted, "parameters that depend on others are not taken in Ax's own words")
    return spec


def _value(number: int, spec: Parameter) -> Any:
    where = f"space[{number}]"
    match spec.get("type"), spec.get("bounds"), spec.get("values"):
        case "fixed", _, _ if "value" in spec:
            return spec["value"]
        case "choice", _, [*values] if values:
            return Categorical(values)
        case "range", [low, high], _:
            whole = all(isinstance(bound, int) and not isinstance(bound, bool) for bound in (low, high))
            log = bool(spec.get("log_scale", False))
            if spec.get("value_type", "int" if whole else "float") == "int":
                return Integer(low, high, log=log)
            return Float(low, high, log=log)
    wanted = "a 'range' with two bounds, a 'choice' with values, or a 'fixed' with a value"
    raise BadArgument(where, spec, wanted)


def described(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of an experiment of Ax's in the words of ``create_experiment()``.

    Raises:
        BadArgument: one of them is derived from others, or has others that depend on it.
    """
    return [_described(parameter) for parameter in parameters.values()]


def _described(parameter: Any) -> dict[str, Any]:
    kind, found = type(parameter).__name__, {"name": parameter.name}
    if getattr(parameter, "is_hierarchical", False):
        wanted = "an experiment in which no parameter depends on another"
        raise BadArgument("ax_client", parameter.name, wanted)
    if kind == "RangeParameter":
        bounds = [parameter.lower, parameter.upper]
        value_type = "int" if parameter.parameter_type.name == "INT" else "float"
        return {**found, "type": "range", "bounds": bounds, "value_type": value_type, "log_scale": parameter.log_scale}
    if kind == "ChoiceParameter":
        return {**found, "type": "choice", "values": list(parameter.values)}
    if kind == "FixedParameter":
        return {**found, "type": "fixed", "value": parameter.value}
    raise BadArgument("ax_client", parameter.name, "an experiment with range, choice and fixed parameters")
