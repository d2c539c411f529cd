"""Spaces of HyperOpt's: what users write with ``hp.*`` as a space of ours, and our spaces as HyperOpt's expressions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.core.space import Categorical, Domain, Float, Integer, Normal, Space, Weighted, described
from luthier.search.grids import refuse_grids
from luthier.search.hp import KINDS, Hp, HpChoice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luthier.core.space import Axis
    from luthier.core.terms import Config

ROOT = ""  # the key under which a space lies that is one expression rather than a dict of them


def is_expression(value: object) -> bool:
    """Whether *value* is an expression of HyperOpt's."""
    return any(c.__module__ == "hyperopt.pyll.base" and c.__name__ == "Apply" for c in type(value).__mro__)


def converted(space: Mapping[str, Any] | Any) -> Space:
    """Return *space*, in which there may be ``hp.*`` at any depth, as a space of ours.

    Raises:
        BadArgument: two hyperparameters have one label, or an expression computes with hyperparameters.
    """
    if is_expression(space):
        found = _read(space, "space", {})
        options = found.options if isinstance(found, Categorical) else [found]
        if not all(isinstance(option, dict) for option in options):
            raise BadArgument("space", space, "a dict, or hp.choice between dicts: configs are dicts")
        return Space({ROOT: found} if isinstance(found, Categorical) else found)
    return Space(_read(dict(space), "space", {}))


def _read(node: Any, where: str, labels: dict[str, Any]) -> Any:
    """Return what *node* stands for; *labels* are the hyperparameters seen so far."""
    if isinstance(node, dict):
        return {key: _read(item, f"{where}[{key!r}]", labels) for key, item in node.items()}
    if type(node) in (list, tuple) and described(node) is None:
        return type(node)(_read(item, f"{where}[{i}]", labels) for i, item in enumerate(node))
    if not is_expression(node):
        return node
    match node.name:
        case "literal":
            return node.obj
        case "dict":
            return {key: _read(item, f"{where}[{key!r}]", labels) for key, item in node.named_args}
        case "pos_args":
            items = [_read(item, f"{where}[{i}]", labels) for i, item in enumerate(node.pos_args)]
            return items if node.o_len is None else tuple(items)
        case "switch" if node.pos_args[0].name == "hyperopt_param":
            return _choice(node, where, labels)
        case "int" | "float" | "hyperopt_param":
            return _number(node, where, labels)
    wanted = "hp.* as they are, in dicts and lists, and computations in the trainable"
    raise BadArgument(where, str(node), wanted, f"it computes {node.name!r} of hyperparameters")


def _choice(node: Any, where: str, labels: dict[str, Any]) -> HpChoice:
    label, drawn = _parameter(node.pos_args[0], where, labels)
    options = [_read(option, f"{where}[{i}]", labels) for i, option in enumerate(node.pos_args[1:])]
    weights = [weight.obj for weight in drawn.pos_args[0].pos_args] if drawn.name == "categorical" else None
    if drawn.name not in ("categorical", "randint"):
        raise BadArgument(where, str(node), "hp.choice or hp.pchoice", f"a choice by {drawn.name!r}")
    return HpChoice(label, options, weights)


def _number(node: Any, where: str, labels: dict[str, Any]) -> Hp:
    integer = False
    while node.name in ("int", "float"):
        integer = integer or node.name == "int"
        node = node.pos_args[0]
    if node.name != "hyperopt_param":
        wanted = "hp.* as they are, in dicts and lists, and computations in the trainable"
        raise BadArgument(where, str(node), wanted, f"it computes {node.name!r} of hyperparameters")
    label, drawn = _parameter(node, where, labels)
    if drawn.name not in KINDS:
        raise BadArgument(where, str(drawn), f"one of {', '.join(KINDS)}, choice or pchoice")
    named = {key: item.obj for key, item in drawn.named_args if key in KINDS[drawn.name]}
    arguments = [item.obj for item in drawn.pos_args]
    if drawn.name == "randint" and len(arguments) + len(named) == 1:  # hp.randint(label, upper)
        arguments, named = [0, *arguments, *named.values()], {}
    arguments += [named[name] for name in KINDS[drawn.name][len(arguments) :] if name in named]
    return Hp(label, drawn.name, arguments, integer=integer)


def _parameter(node: Any, where: str, labels: dict[str, Any]) -> tuple[str, Any]:
    label, drawn = node.pos_args[0].obj, node.pos_args[1]
    if labels.setdefault(label, node) is not node:
        raise BadArgument(where, label, "a label of its own for each hp.*", "another one has this label")
    return label, drawn


class Knob:
    """An axis as HyperOpt has it: its label, its distribution, and the way from its values to ours.

    Numbers keep HyperOpt's own distribution where it has theirs; for the rest HyperOpt draws a place in [0, 1], which
    our domain maps: the distribution stays exact, and what lies side by side is near for HyperOpt too.
    """

    def __init__(self, axis: Axis) -> None:
        domain: Any = axis.domain
        self.axis, self.domain = axis, domain
        self.label: str = getattr(domain, "label", axis.name)
        self.kind, self.arguments = _distribution(domain)
        self.by_place = isinstance(domain, Domain) and self.kind == "uniform" and not isinstance(domain, (Float, Hp))

    def node(self) -> Any:
        """Return a new hyperparameter of HyperOpt's."""
        from hyperopt.pyll import scope

        return scope.hyperopt_param(self.label, getattr(scope, self.kind)(*self.arguments))

    def unit(self, value: Any) -> float:
        """Return where *value*, of HyperOpt's, lies on the axis."""
        if isinstance(self.domain, Categorical):
            return self.domain.middle(int(value))
        return float(value) if self.by_place else float(self.domain.to_unit(value))

    def value(self, u: float) -> Any:
        """Return HyperOpt's value for the place *u*."""
        if isinstance(self.domain, Categorical):
            return self.domain.pick(u)
        if self.by_place:
            return u
        return int(self.domain.from_unit(u)) if self.kind == "randint" else float(self.domain.from_unit(u))


def _distribution(domain: Any) -> tuple[str, tuple[Any, ...]]:
    match domain:
        case Hp():
            return domain.kind, tuple(map(int, domain.arguments)) if domain.kind == "randint" else domain.arguments
        case HpChoice(weights=tuple(weights)):
            return "categorical", (weights,)
        case Weighted(weights=weights):
            return "categorical", (tuple(weight / sum(weights) for weight in weights),)
        case Categorical():
            return "randint", (len(domain.options),)
        case Float(log=log, q=q):
            bounds = (math.log(domain.lower), math.log(domain.upper)) if log else (domain.lower, domain.upper)
            kind = "loguniform" if log else "uniform"
            return (kind, bounds) if q is None else (f"q{kind}", (*bounds, q))
        case Integer(log=False, q=q):
            low, high = -(-domain.lower // q) * q, domain.upper // q * q
            return "quniform", (low - q / 2, high + q / 2, float(q))  # half a step more, or the ends were drawn less
        case Normal(log=log, q=q):
            kind = "lognormal" if log else "normal"
            return (kind, (domain.mean, domain.sd)) if q is None else (f"q{kind}", (domain.mean, domain.sd, q))
    return "uniform", (0.0, 1.0)


class Knobs:
    """All axes of *space* as one expression of HyperOpt's, conditional where the space is.

    Axes of one label share their hyperparameter.

    Raises:
        BadArgument: an axis is a grid.
    """

    def __init__(self, space: Space) -> None:
        refuse_grids(space, "HyperOpt")
        self.space = space
        self.knobs = [Knob(axis) for axis in space.axes]
        self._nodes: dict[str, Any] = {}

    def expression(self, under: tuple[int, int] | None = None) -> dict[str, Any]:
        """Return what is alive *under* an axis (its number, its option), as HyperOpt has it; None: what always is."""
        from hyperopt.pyll import scope

        found: dict[str, Any] = {}
        for knob in self.knobs:
            condition = knob.axis.condition
            if (None if condition is None else (condition.parent, condition.option)) != under:
                continue
            if knob.label not in self._nodes:
                self._nodes[knob.label] = knob.node()
            node = self._nodes[knob.label]
            if any(other.axis.condition and other.axis.condition.parent == knob.axis.number for other in self.knobs):
                branches = [self.expression((knob.axis.number, k)) for k in range(len(knob.domain.options))]
                node = scope.switch(node, *branches)
            found[str(knob.axis.number)] = node
        return found

    def config(self, values: Mapping[str, Any], rng: Any) -> Config:
        """Return the config where HyperOpt's hyperparameters are *values*, by label."""
        units = [knob.unit(values[knob.label]) if knob.label in values else math.nan for knob in self.knobs]
        return self.space.decode(units, rng)

    def values(self, config: Config) -> dict[str, Any] | None:
        """Return HyperOpt's values of *config*, by label; None if it is not of this space."""
        try:
            units = self.space.encode(config)
        except BadArgument:
            return None
        alive = [(knob, u) for knob, u in zip(self.knobs, units, strict=True) if not math.isnan(u)]
        return {knob.label: knob.value(u) for knob, u in alive}
