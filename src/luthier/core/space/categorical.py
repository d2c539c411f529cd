"""A choice between options."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space.domain import Domain, number
from luthier.core.space.likeness import fresh, holds_containers, same

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


MOST = 2**50


def listed(argument: str, given: object) -> list[Any] | range:
    """Return the options in *given*, in an order that is the same in every process.

    Arrays give Python numbers, sets are sorted, a range stays one: ten million numbers need no room.

    Raises:
        BadArgumentType: for what is no collection, and for text and dicts, which are collections by accident.
        BadArgument: where there is no option.
    """
    if isinstance(given, (str, bytes, dict)) or not hasattr(given, "__iter__"):
        raise BadArgumentType(argument, given, "a list of options")
    options: list[Any] | range
    if isinstance(given, range):
        options = given
        if options and (options[-1] - options[0]) // options.step >= MOST:
            raise BadArgument(argument, given, f"at most {MOST} options", "their places in [0, 1] must be told apart")
    elif isinstance(given, (set, frozenset)):
        options = _sorted(given)
    elif getattr(given, "ndim", 0) == 1 and hasattr(given, "tolist"):
        options = given.tolist()
    else:
        options = list(given)
    if not options:
        raise BadArgument(argument, given, "at least one option")
    return options


def _sorted(options: Iterable[Any]) -> list[Any]:
    try:
        return sorted(options)
    except TypeError:  # texts and numbers, say
        return sorted(options, key=lambda option: (type(option).__name__, repr(option)))


def _index(options: range, value: Any) -> int | None:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return options.index(number) if number in options and same(number, value) else None


class Categorical(Domain):
    """One of *options*, each equally likely; any Python objects, told apart by place.

    Attributes:
        options: all of them; a range where that was given.

    Where an option is, or holds, domains of its own the space draws those as well, if the option is chosen: see
    :class:`~luthier.core.space.space.Space`.

    >>> Categorical(["relu", "tanh"]).from_unit(0.7)
    'tanh'
    >>> [3] in Categorical([[1, 2], [3]])
    True
    """

    __slots__ = ("_mutable", "options")

    def __init__(self, options: Iterable[Any]) -> None:
        given = listed("categories", options)
        self.options: tuple[Any, ...] | range = given if isinstance(given, range) else tuple(given)
        self._mutable = not isinstance(given, range) and any(map(holds_containers, given))

    def pick(self, u: float) -> int:
        """Return the number of the option at *u*, clipped to [0, 1]."""
        n = len(self.options)
        return min(max(int(u * n), 0), n - 1)

    def middle(self, option: int) -> float:
        """Return the middle of what leads to the *option*-th option in [0, 1]."""
        return (option + 0.5) / len(self.options)

    def index(self, value: object) -> int | None:
        """Return the number of the option that *value* is, or None; one of the same type goes first."""
        if isinstance(self.options, range):
            return _index(self.options, value)
        found = None
        for k, option in enumerate(self.options):
            if option is value:
                return k
            if same(option, value):
                if type(option) is type(value):
                    return k
                if found is None:
                    found = k
        return found

    def from_unit(self, u: float) -> Any:
        """Return the option at *u*; containers are new each time."""
        value = self.options[self.pick(u)]
        return fresh(value) if self._mutable else value

    def to_unit(self, value: Any) -> float:
        """Return the middle of what leads to *value* in [0, 1]."""
        k = self.index(value)
        if k is None:
            raise BadArgument("value", value, f"one of {self._parts()[0]!r:.200}")
        return self.middle(k)

    def __contains__(self, value: object) -> bool:
        return self.index(value) is not None

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self) or not isinstance(other, Categorical):
            return False
        mine, others = self.options, other.options
        if isinstance(mine, range) and isinstance(others, range):
            return mine == others
        return len(mine) == len(others) and same(tuple(mine), tuple(others))

    def __hash__(self) -> int:
        return hash((type(self), len(self.options)))

    def _parts(self) -> tuple[object, ...]:
        return (self.options if isinstance(self.options, range) else list(self.options),)


class Weighted(Categorical):
    """One of *options*, drawn by *weights*.

    In [0, 1] all options have the same room, as in any choice: weights are for who draws at random, not for who has a
    model of what is good.

    Args:
        options: any Python objects, some of which may hold domains.
        weights: how likely they are, in their order: numbers of 0 or more that sum up to 1.

    Raises:
        BadArgument: for weights that are no probabilities of *options*.

    >>> domain = Weighted(["a", "b"], [0.9, 0.1])
    >>> domain.from_unit(0.6), domain.from_unit(domain.place(0.6))
    ('b', 'a')
    """

    __slots__ = ("_ends", "weights")

    def __init__(self, options: Iterable[Any], weights: Sequence[float]) -> None:
        super().__init__(options)
        self.weights = tuple(number(f"probabilities[{k}]", weight) for k, weight in enumerate(weights))
        if len(self.weights) != len(self.options):
            raise BadArgument("probabilities", list(weights), f"{len(self.options)} numbers, one for each option")
        total = math.fsum(self.weights)
        if min(self.weights) < 0 or abs(total - 1) > 1e-5:  # noqa: PLR2004 (what single precision leaves)
            raise BadArgument("probabilities", list(weights), "numbers of 0 or more that sum up to 1")
        self._ends = [end / total for end in accumulate(self.weights)]

    def place(self, u: float) -> float:
        """Return the middle of the option that a uniform *u* draws; what has no weight is never drawn."""
        k = min(bisect_right(self._ends, u), len(self.options) - 1)
        while not self.weights[k]:  # only at the upper end
            k -= 1
        return self.middle(k)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Weighted) and self.weights == other.weights and super().__eq__(other)

    def __hash__(self) -> int:
        return hash((super().__hash__(), self.weights))

    def _parts(self) -> tuple[object, ...]:
        return (*super()._parts(), list(self.weights))


class Grid(Categorical):
    """Options that are all tried in turn rather than drawn."""

    __slots__ = ()
