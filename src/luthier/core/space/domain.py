"""What one axis of a space may hold."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType

if TYPE_CHECKING:
    from luthier.core.rng import Rng

_INFINITY = float("inf")


class Domain(ABC):
    """One axis of a space: a bijection, up to its resolution, between the unit interval and the values allowed.

    Laws: ``from_unit(u) in domain`` for every *u* in [0, 1], and ``from_unit(to_unit(v)) == v`` for every value *v* in
    the domain (floats: to 1e-9 of the domain's width, or of *v* where the scale is logarithmic).  A *u* that is
    uniform gives values in the domain's own distribution, once :meth:`place` has put it where it belongs.

    Domains are compared by value and never change.
    """

    __slots__ = ()

    @abstractmethod
    def from_unit(self, u: float) -> Any:
        """Return the value at *u*, clipped to [0, 1]."""

    @abstractmethod
    def to_unit(self, value: Any) -> float:
        """Return where *value* lies in [0, 1]; numbers beyond the bounds go to the nearer end.

        Raises:
            BadArgument: if *value* has no place on this axis (an unknown option, something that is not a number).
        """

    @abstractmethod
    def __contains__(self, value: object) -> bool: ...

    @abstractmethod
    def _parts(self) -> tuple[object, ...]:
        """Return what makes this domain different from others of its class."""

    @property
    def endless(self) -> bool:
        """Whether there is no end to the values; the ends of [0, 1] are then far out."""
        return False

    def place(self, u: float) -> float:
        """Return where in [0, 1] the value lies that a uniform *u* draws: at *u*, unless options have weights."""
        return u

    def draw(self, rng: Rng) -> Any:
        """Return a random value in the domain's own distribution."""
        return self.from_unit(self.place(rng.random()))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._parts() == self._parts()

    def __hash__(self) -> int:
        return hash((type(self), repr(self._parts())))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._parts()))})"


def number(argument: str, given: object) -> float:
    """Return *given* as a finite float.

    Raises:
        BadArgumentType: if it is not a number (numbers in strings are not).
        BadArgument: if it is NaN or infinite.
    """
    if isinstance(given, (bool, str, bytes)) or not hasattr(given, "__float__"):
        raise BadArgumentType(argument, given, "a number")
    try:
        value = float(given)
    except (TypeError, ValueError) as error:
        raise BadArgumentType(argument, given, "a number") from error
    except OverflowError as error:
        raise BadArgument(argument, given, "a finite number") from error
    if not -_INFINITY < value < _INFINITY:
        raise BadArgument(argument, given, "a finite number")
    return value


def whole(argument: str, given: object) -> int:
    """Return *given* as an int; floats without a fraction (1e3) will do.

    Raises:
        BadArgumentType: if it is not a number.
        BadArgument: if it has a fraction, or is not finite.
    """
    if not isinstance(given, bool) and hasattr(given, "__index__"):
        return int(given.__index__())
    value = number(argument, given)
    if not value.is_integer():
        raise BadArgument(argument, given, "a whole number")
    return int(value)


def is_number(value: object) -> bool:
    """Whether *value* is a real number (numpy's too) rather than a truth value, text or NaN."""
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        return False
    try:
        x = float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return x == x  # noqa: PLR0124 (NaN)
