"""The distributions of HyperOpt's ``hp.*``, as domains."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space import Categorical, Domain
from luthier.core.space.domain import is_number, number
from luthier.core.space.multiples import Multiples
from luthier.core.space.normal import quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# What HyperOpt calls them, and their arguments.
KINDS: Final = {
    "uniform": ("low", "high"),
    "quniform": ("low", "high", "q"),
    "loguniform": ("low", "high"),
    "qloguniform": ("low", "high", "q"),
    "normal": ("mu", "sigma"),
    "qnormal": ("mu", "sigma", "q"),
    "lognormal": ("mu", "sigma"),
    "qlognormal": ("mu", "sigma", "q"),
    "randint": ("low", "high"),
}
_LEAST, _MOST = 2.0**-54, 1.0 - 2.0**-53  # what stands for 0 and 1 where a distribution has no end


class Hp(Domain):
    """One hyperparameter of HyperOpt's, with its own distribution and rounding: ``round(x / q) * q``, half to even.

    Args:
        label: its name, by which HyperOpt knows it.
        kind: one of :data:`KINDS`.
        arguments: in their order; of ``loguniform`` and ``qloguniform`` the bounds are logarithms.
        integer: whether ``int()`` is applied to what comes out, as ``hp.uniformint`` and ``scope.int`` do.

    Raises:
        BadArgument: for arguments that make no distribution.

    Source: Bergstra et al., "Making a science of model search", ICML 2013; the ``hyperopt`` package's documentation.

    >>> Hp("x", "quniform", (0, 10, 3)).from_unit(0.6)
    6.0
    """

    __slots__ = ("_multiples", "arguments", "integer", "kind", "label")

    def __init__(self, label: str, kind: str, arguments: Sequence[Any], *, integer: bool = False) -> None:
        names = KINDS[kind]
        if len(arguments) != len(names):
            raise BadArgument(f"hp {label!r}", list(arguments), f"{kind} with {', '.join(names)}")
        self.label, self.kind, self.integer = label, kind, integer or kind == "randint"
        self.arguments = tuple(number(f"{name} of hp {label!r}", a) for name, a in zip(names, arguments, strict=True))
        low, high = self.arguments[:2]
        if names[0] == "low" and not low < high:
            raise BadArgument(f"high of hp {label!r}", high, f"a number above low={low:g}")
        if names[0] == "mu" and high <= 0:
            raise BadArgument(f"sigma of hp {label!r}", high, "a number above 0")
        self._multiples = Multiples(f"q of hp {label!r}", self.arguments[2]) if len(names) > 2 else None  # noqa: PLR2004

    @property
    def count(self) -> float:
        """How many values there are; infinite without bounds, or without steps.

        >>> Hp("x", "quniform", (0, 10, 3)).count, Hp("n", "randint", (2, 7)).count
        (4, 5)
        """
        ends = self.from_unit(0.0), self.from_unit(1.0)
        step = 1 if self._multiples is None else self._multiples.q
        stepped = self.integer or self._multiples is not None
        return round((ends[1] - ends[0]) / step) + 1 if stepped and "normal" not in self.kind else math.inf

    def from_unit(self, u: float) -> Any:
        """Return the value at *u*, clipped to [0, 1]."""
        low, high = self.arguments[:2]
        u = min(max(u, 0.0), 1.0)
        if self.kind == "randint":
            return min(int(low + u * (high - low)), int(high) - 1)
        normal = "normal" in self.kind
        value = low + high * quantile(min(max(u, _LEAST), _MOST)) if normal else low + u * (high - low)
        if "log" in self.kind:
            value = math.exp(value)
        if self._multiples is not None:
            value = self._multiples.value(self._multiples.index(value))
        return int(value) if self.integer else value

    def to_unit(self, value: Any) -> float:
        """Return where *value* lies in [0, 1]; numbers beyond the bounds go to the nearer end."""
        if not is_number(value):
            raise BadArgumentType("value", value, "a number")
        low, high = self.arguments[:2]
        x = float(value)
        if self.kind == "randint" or (self.integer and self._multiples is None and x >= 1):
            x += 0.5  # the middle of what int() makes this of
        if "log" in self.kind:
            x = math.log(x) if x > 0 else -math.inf
        if "normal" in self.kind:
            return 0.5 * math.erfc((low - x) / (high * math.sqrt(2.0)))
        return (min(max(x, low), high) - low) / (high - low)

    def __contains__(self, value: object) -> bool:
        if not is_number(value) or (self.integer and not hasattr(value, "__index__")):
            return False
        x = float(value)  # type: ignore[arg-type]
        there = float(self.from_unit(self.to_unit(x)))
        scale = self.arguments[1] if "normal" in self.kind else self.arguments[1] - self.arguments[0]
        slack = 1e-9 * (abs(x) if "log" in self.kind else scale)
        if self._multiples is None and not self.integer and "normal" in self.kind:
            return math.isfinite(x) and (self.kind == "normal" or x > 0)
        return abs(there - x) <= slack

    def _parts(self) -> tuple[object, ...]:
        return (self.label, self.kind, self.arguments, self.integer)


class HpChoice(Categorical):
    """``hp.choice`` and ``hp.pchoice``: one of *options*, by their probabilities.

    Args:
        label: its name, by which HyperOpt knows it.
        options: any Python objects, some of which may hold domains.
        weights: probabilities, in the order of *options*; None for equal ones.

    >>> HpChoice("c", ["a", "b"], [0.9, 0.1]).from_unit(0.85)
    'a'
    """

    __slots__ = ("_ends", "label", "weights")

    def __init__(self, label: str, options: Iterable[Any], weights: Sequence[float] | None = None) -> None:
        super().__init__(options)
        self.label = label
        if weights is None:
            self.weights: tuple[float, ...] | None = None
            self._ends = [(k + 1) / len(self.options) for k in range(len(self.options))]
            return
        self.weights = tuple(number(f"probability in hp {label!r}", weight) for weight in weights)
        total = math.fsum(self.weights)
        if min(self.weights) < 0 or abs(total - 1) > 1e-6:  # noqa: PLR2004 (what single precision leaves)
            raise BadArgument(f"hp.pchoice {label!r}", list(self.weights), "probabilities that sum up to 1")
        self._ends = list(accumulate(self.weights))

    def pick(self, u: float) -> int:
        """Return the number of the option at *u*, clipped to [0, 1]."""
        k = min(bisect_right(self._ends, u), len(self.options) - 1)
        while k and self._ends[k] == self._ends[k - 1]:  # nothing leads to an option of probability 0
            k -= 1
        return k

    def middle(self, option: int) -> float:
        """Return the middle of what leads to the *option*-th option in [0, 1]."""
        return (self._ends[option] + (self._ends[option - 1] if option else 0.0)) / 2

    def _parts(self) -> tuple[object, ...]:
        return (self.label, list(self.options), self.weights)
