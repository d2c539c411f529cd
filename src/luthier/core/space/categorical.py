"""A choice between options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space.domain import Domain
from luthier.core.space.likeness import fresh, holds_containers, same

if TYPE_CHECKING:
    from collections.abc import Iterable


def listed(argument: str, given: object) -> list[Any]:
    """Return the options in *given*, in an order that is the same in every process.

    Arrays give Python numbers, sets are sorted.

    Raises:
        BadArgumentType: for what is no collection, and for text and dicts, which are collections by accident.
        BadArgument: where there is no option.
    """
    if isinstance(given, (str, bytes, dict)) or not hasattr(given, "__iter__"):
        raise BadArgumentType(argument, given, "a list of options")
    if isinstance(given, (set, frozenset)):
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


class Categorical(Domain):
    """One of *options*, each equally likely; any Python objects, told apart by place.

    Where an option is, or holds, domains of its own the space draws those as well, if the option is chosen: see
    :class:`~luthier.core.space.space.Space`.

    >>> Categorical(["relu", "tanh"]).from_unit(0.7)
    'tanh'
    >>> [3] in Categorical([[1, 2], [3]])
    True
    """

    __slots__ = ("_mutable", "options")

    def __init__(self, options: Iterable[Any]) -> None:
        self.options = tuple(listed("categories", options))
        self._mutable = any(map(holds_containers, self.options))

    def pick(self, u: float) -> int:
        """Return the number of the option at *u*, clipped to [0, 1]."""
        n = len(self.options)
        return min(max(int(u * n), 0), n - 1)

    def middle(self, option: int) -> float:
        """Return the middle of what leads to the *option*-th option in [0, 1]."""
        return (option + 0.5) / len(self.options)

    def index(self, value: object) -> int | None:
        """Return the number of the option that *value* is, or None; one of the same type goes first."""
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
            raise BadArgument("value", value, f"one of {list(self.options)!r:.200}")
        return self.middle(k)

    def __contains__(self, value: object) -> bool:
        return self.index(value) is not None

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Categorical) and same(self.options, other.options)

    def __hash__(self) -> int:
        return hash((type(self), len(self.options)))

    def _parts(self) -> tuple[object, ...]:
        return (list(self.options),)


class Grid(Categorical):
    """Options that are all tried in turn rather than drawn."""

    __slots__ = ()
