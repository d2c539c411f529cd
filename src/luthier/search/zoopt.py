"""ZOOpt's classification-based search (SRACOS) as a searcher."""

from __future__ import annotations

import math
from bisect import insort
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Domain, Float, Integer, Space
from luthier.core.space.multiples import Multiples
from luthier.search.distinct import size
from luthier.search.optuna_space import nested
from luthier.search.study import Suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.goal import Score
    from luthier.core.terms import Config
    from luthier.search.flat_axes import FlatAxes, Part
    from luthier.search.known import Known

_DECIMALS = 12  # of places in [0, 1]
_ATTEMPTS = 8  # at a point that was not tried
_FINEST = 9  # decimals of a precision of ZOOpt's; finer ones are not seen by anybody
_STEPS = 2**31  # more values than that side by side are a place in [0, 1]


class ZooptStudy:
    """The best points so far, and ZOOpt's classifier between the few best of them and the rest.

    ZOOpt's own ``SRacosTune``, which proposes and is told, waits for ever where its first trials end one by one, and
    where one fails.  So its parts are used without it: random points that differ until there are as many results as a
    model needs, then a point from the region that the classifier leaves (or, in one of a hundred, from anywhere).  What
    is proposed depends on nothing but what was told.

    Failed trials are the worst points; running ones are kept away from.  It knows no stopped trials: their last score
    counts.  Of a config that was tried twice the better score counts.

    Args:
        points: how configs are made.
        budget: how many trials there will be, from which ZOOpt chooses the size of its model.
        known: what was evaluated elsewhere.
        exploration_rate: how often it looks anywhere.
        uncertain_bits: how many axes of a good point it changes at once; None for ZOOpt's own choice.

    Source: Hu, Qian, Yu, "Sequential classification-based optimization for direct policy search", AAAI 2017.
    """

    retraced = False

    def __init__(
        self,
        points: FlatAxes,
        budget: int,
        known: Sequence[Known] = (),
        exploration_rate: float = 0.01,
        uncertain_bits: int | None = None,
    ) -> None:
        import zoopt
        from zoopt.algos.opt_algorithms.racos.sracos import SRacosTune

        self.points, self.scales = points, [_Scale(part) for part in points.parts]
        self.dimension = zoopt.Dimension2([scale.dimension for scale in self.scales])
        self.precisions = _precisions()
        parameter = zoopt.Parameter(budget=max(budget, 3), exploration_rate=exploration_rate)
        self.racos = SRacosTune(self.dimension, parameter, parallel_num=1)
        self.model, self.positive = parameter.get_train_size(), parameter.get_positive_size()
        self.exploitation = parameter.get_probability()
        self.bits = self.racos.ub if uncertain_bits is None else uncertain_bits
        self.size = math.prod(size(part.axis.domain) for part in points.parts)  # were all axes alive
        self.best: list[Any] = []  # solutions, best first: as many as a model needs
        self.running: dict[int, Any] = {}  # solutions by token
        self.tried: dict[tuple[float, ...], int] = {}  # how many trials were where
        self._births = 0
        for config, scores, rung in known:
            token = self.insert(config)
            if token is not None:
                self.settle(token, scores, stopped=rung is not None)

    def propose(self, seed: int) -> Suggestion:
        """Return a new point, one that was not tried if ZOOpt finds one in some attempts.

        It changes few axes at a time, and may choose those that are not alive, or what is rounded away.
        """
        config, found = self._drawn(seed, 0)
        for attempt in range(1, _ATTEMPTS):
            if found is None or found not in self.tried or len(self.tried) >= self.size:
                break
            config, found = self._drawn(seed, attempt)
        return Suggestion(config, None if found is None else self._keep(found))

    def _drawn(self, seed: int, attempt: int) -> tuple[Config, tuple[float, ...] | None]:
        """Return a config, and where it is."""
        values = []
        if self.scales:
            with _Seeded(rng_at(seed, 2, attempt).seed32(), self.precisions):
                values = [scale.value(x) for scale, x in zip(self.scales, self._next(), strict=True)]
        config = self.points.config(values, rng_at(seed, 1))
        return config, self._x(config)

    def _next(self) -> Sequence[Any]:
        import numpy as np
        from zoopt.algos.opt_algorithms.racos.racos_classification import RacosClassification

        near = self.best + list(self.running.values())
        if len(self.best) < self.model or np.random.random() >= self.exploitation:  # noqa: NPY002 (ZOOpt's own)
            found, _ = self.racos.distinct_sample(self.dimension, near)
        else:
            positive, negative = self.best[: self.positive], self.best[self.positive :]  # it sorts them anew
            classifier = RacosClassification(self.dimension, positive, negative, self.bits)
            classifier.mixed_classification()
            found, _ = self.racos.distinct_sample_classifier(classifier, near)
        x: Sequence[Any] = found.get_x()
        return x

    def insert(self, config: Config) -> Any:
        """Take in a config that others chose; None if it is not of this space."""
        x = self._x(config)
        return None if x is None else self._keep(x)

    def _x(self, config: Config) -> tuple[float, ...] | None:
        """Return where *config* is, as ZOOpt has it; None if it is not of this space."""
        values = self.points.values(config)
        return None if values is None else tuple(scale.x(v) for scale, v in zip(self.scales, values, strict=True))

    def _keep(self, x: tuple[float, ...]) -> int:
        from zoopt import Solution

        self._births += 1
        self.tried[x] = self.tried.get(x, 0) + 1
        self.running[self._births] = Solution(list(x))
        return self._births

    def withdraw(self, token: Any) -> None:
        """Forget a proposal."""
        x = tuple(self.running.pop(token).get_x())
        self.tried[x] -= 1
        if not self.tried[x]:
            del self.tried[x]

    def hear(self, token: Any, step: int, scores: tuple[Score, ...]) -> None:
        """Hear of a result on the way, which ZOOpt has no place for."""

    def settle(self, token: Any, scores: tuple[Score, ...] | None, *, stopped: bool) -> None:
        """Hear of a trial's end."""
        solution, score = self.running.pop(token), float("inf") if scores is None else scores[0]
        if not self.scales:
            return
        same = [other for other in self.best if solution.get_x() == other.get_x()]
        if same:  # two of one place could not be told apart by any classifier: ZOOpt would look for one without end
            if same[0].get_value() <= score:
                return
            self.best.remove(same[0])
        solution.set_value(score)
        insort(self.best, solution, key=lambda each: each.get_value())
        del self.best[self.model :]


class _Scale:
    """One axis as ZOOpt has it.

    Options of a choice go by their numbers, without order (ZOOpt's own ``GRID`` forgets all but the first two, and
    numpy makes texts of what is no text); numbers that lie a step apart by theirs, in order; the rest are places in
    [0, 1], which our domain maps.
    """

    def __init__(self, part: Part) -> None:
        from zoopt import ValueType

        self.part, domain = part, part.axis.domain
        self.steps: int | None = None
        self.ends = isinstance(domain, Float)  # the first and the last value are at 0 and 1, not half a step inside
        stepped = isinstance(domain, Integer) or (isinstance(domain, Float) and domain.q is not None)
        if stepped and not getattr(domain, "log", False) and size(domain) <= _STEPS:
            self.steps = int(size(domain))
        self.options = part.options
        self.dimension: tuple[Any, ...] = (ValueType.CONTINUOUS, [0.0, 1.0], 10.0**-_DECIMALS)
        if self.options is not None:
            self.dimension = (ValueType.DISCRETE, [0, self.options - 1], False)
        elif self.steps is not None:
            self.dimension = (ValueType.DISCRETE, [0, self.steps - 1], True)

    def x(self, value: float) -> float:
        """Return what ZOOpt has for a place in [0, 1], or for the number of an option."""
        if self.options is not None:
            return int(value)
        if self.steps is None:
            return round(float(value), _DECIMALS)
        k = round(value * (self.steps - 1)) if self.ends else int(value * self.steps)
        return min(max(k, 0), self.steps - 1)

    def value(self, x: float) -> float:
        """Return the place of *x*, of ZOOpt's, or the number of an option."""
        if self.steps is None or self.options is not None:
            return x
        return x / (self.steps - 1) if self.ends else (x + 0.5) / self.steps


def _precisions() -> list[int | None]:
    """Return the decimals that ZOOpt rounds each axis to: it keeps those of the last space, for all the process."""
    from zoopt.utils.zoo_global import gl

    return list(gl.float_precisions)


class _Seeded:
    """Lets ZOOpt begin at *seed*, with the *precisions* of one search; it draws from numpy's global generator."""

    def __init__(self, seed: int, precisions: list[int | None]) -> None:
        self.seed, self.precisions = seed, precisions

    def __enter__(self) -> None:
        import numpy as np
        from zoopt.utils.zoo_global import gl

        numpy: Any = np.random  # its types leave these two out
        self._before = numpy.get_bit_generator(), gl.float_precisions
        numpy.set_bit_generator(np.random.PCG64(self.seed))
        gl.float_precisions = list(self.precisions)

    def __exit__(self, *exception: object) -> None:
        import numpy as np
        from zoopt.utils.zoo_global import gl

        numpy: Any = np.random
        generator, gl.float_precisions = self._before
        numpy.set_bit_generator(generator)


def converted(space: Mapping[str, Any]) -> Space:
    """Return *space*, in which there may be dimensions of ZOOpt's, as a space of ours.

    A dimension is ``(ValueType.CONTINUOUS, [low, high], precision)``, ``(ValueType.DISCRETE, [low, high], has_order)``
    or ``(ValueType.GRID, values)``; a ``/`` in its name is a dict within.

    Raises:
        BadArgument: a dimension's bounds or precision cannot be used.

    >>> converted({"x": (1, [0, 1], 0.01), "net/kind": (2, ["a", "b"])})
    Space({'x': Float(0.0, 1.0, False, 0.01), 'net': {'kind': Categorical(['a', 'b'])}})
    """
    found = {key: _domain(f"dim_dict[{key!r}]", value) if _is(value) else value for key, value in space.items()}
    return Space(nested(found) if any(map(_is, space.values())) else found)


def _is(value: object) -> bool:
    """Whether *value* is a dimension of ZOOpt's."""
    if not isinstance(value, (tuple, list)) or len(value) not in (2, 3):
        return False
    kind, values = value[0], value[1]
    if isinstance(kind, bool) or not isinstance(kind, int) or not isinstance(values, (list, tuple)):
        return False
    return kind in (0, 1) and len(value) == 3 and len(values) == 2 if kind != 2 else True  # noqa: PLR2004 (its kinds)


def _domain(where: str, dimension: Sequence[Any]) -> Domain:
    kind, values = dimension[0], dimension[1]
    if kind == 2:  # noqa: PLR2004 (ValueType.GRID)
        return Categorical(values)
    low, high = values
    if kind == 0:
        return Integer(low, high) if dimension[2] else Categorical(range(int(low), int(high) + 1))
    precision = dimension[2]
    if isinstance(precision, bool) or not isinstance(precision, (int, float)) or not 0 < precision < math.inf:
        raise BadArgument(where, dimension, "a precision above 0, such as 0.01")
    decimals = _decimals(dimension)
    if decimals > _FINEST:
        return Float(low, high)
    multiples = Multiples(where, float(f"1e{-decimals}"))  # ZOOpt rounds to decimals, also across the bounds
    first, last = (multiples.index(end) if multiples.has(end) else None for end in (low, high))
    first = math.ceil(low / multiples.q) if first is None else first
    last = math.floor(high / multiples.q) if last is None else last
    if first >= last:
        raise BadArgument(where, dimension, "a precision that is finer than the range")
    return Float(multiples.value(first), multiples.value(last), q=multiples.q)


def _decimals(dimension: Sequence[Any]) -> int:
    """Return how many decimals ZOOpt has for a continuous dimension: 2 where the precision is 0.01 or 0.25."""
    from zoopt import Dimension2
    from zoopt.utils.zoo_global import gl

    before = gl.float_precisions
    Dimension2([tuple(dimension)])
    (found,), gl.float_precisions = gl.float_precisions, before
    return int(found)
