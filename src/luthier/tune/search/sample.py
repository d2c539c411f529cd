"""Domains with Ray Tune's interface: a range, and how to draw from it.

What Luthier works with is what their ``__domain__`` returns, from :mod:`luthier.core.space`.
"""

from __future__ import annotations

import warnings
from copy import copy
from typing import TYPE_CHECKING, Any, Final

from luthier.core import space as core
from luthier.core.errors import BadArgument
from luthier.core.space.domain import is_number, whole
from luthier.core.space.view import viewed
from luthier.tune.search.chance import repeatable, rng_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    from luthier.core.rng import Rng

NOT_GIVEN: Final = object()


def warn_of_base(base: object) -> None:
    """Warn that a logarithmic scale needs no *base*, if one is given."""
    if base is not NOT_GIVEN:
        message = "base has no effect and will go: a log-uniform distribution is the same for every base"
        warnings.warn(message, DeprecationWarning, stacklevel=3)


class Sampler:
    """How to draw from a domain."""

    def __str__(self) -> str:
        return type(self).__name__


class BaseSampler(Sampler):
    """Draws in a way of the domain's own."""

    def __str__(self) -> str:
        return "Base"


class Uniform(Sampler):
    """Every value is equally likely."""


class LogUniform(Sampler):
    """The logarithm is uniform."""

    def __init__(self, base: object = NOT_GIVEN) -> None:
        warn_of_base(base)


class Normal(Sampler):
    """Normally distributed, without bounds."""

    def __init__(self, mean: float = 0.0, sd: float = 1.0) -> None:
        self.mean, self.sd = mean, sd


class Grid(Sampler):
    """All values in turn."""


class Quantized(Sampler):
    """Another sampler's values, rounded to multiples of *q*."""

    def __init__(self, sampler: Sampler, q: float) -> None:
        self.sampler, self.q = sampler, q

    def get_sampler(self) -> Sampler:
        """Return the sampler whose values are rounded."""
        return self.sampler


class Domain:
    """What a value may be, and how it is drawn."""

    sampler: Sampler | None = None
    default_sampler_cls: type[Sampler] = Uniform

    def cast(self, value: Any) -> Any:
        """Return *value* in the domain's type."""
        return value

    def set_sampler(self, sampler: Sampler, allow_override: bool = False) -> None:
        """Set how to draw.

        Raises:
            ValueError: if that has been said already, unless *allow_override*.
        """
        if self.sampler is not None and not allow_override:
            raise BadArgument("sampler", str(sampler), "one sampler only", f"this domain has {self.sampler} already")
        self.sampler = sampler

    def get_sampler(self) -> Sampler:
        """Return how to draw."""
        return self.default_sampler_cls() if self.sampler is None else self.sampler

    def sample(self, config: Any = None, size: int = 1, random_state: object = None) -> Any:
        """Return a random value, or a list of *size* of them.

        Args:
            config: for functions: what they get; a list of *size* such, where there are several.
            size: how many.
            random_state: an int, a numpy generator, or None for the global generator.
        """
        rng = rng_of(random_state)
        if size == 1:
            return self._draw(config, rng)
        configs = config if isinstance(config, list) else [config] * size
        return [self._draw(configs[i], rng.split(i)) for i in range(size)]

    def is_grid(self) -> bool:
        """Whether all values are tried in turn."""
        return isinstance(self.sampler, Grid)

    def is_function(self) -> bool:
        """Whether values are computed."""
        return False

    def is_valid(self, value: Any) -> bool:
        """Whether *value* lies in the domain (for ranges: both bounds included)."""
        raise NotImplementedError

    @property
    def domain_str(self) -> str:
        """The domain in short."""
        return "(unknown)"

    def __domain__(self) -> core.Domain | core.Function:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.domain_str}"

    def _with(self, sampler: Sampler, *, instead: bool = False) -> Self:
        new = copy(self)
        new.set_sampler(sampler, allow_override=instead)
        new.__domain__()  # bad bounds are named here, where the user's line is still on the stack
        return new

    def _scale(self) -> tuple[Sampler, Any]:
        sampler = self.get_sampler()
        return (sampler.sampler, sampler.q) if isinstance(sampler, Quantized) else (sampler, None)

    def _draw(self, config: Any, rng: Rng) -> Any:
        return core.Space({"value": self}).sample(rng)["value"]


class Float(Domain):
    """Floats from *lower* to *upper*; None for no bound.

    >>> Float(1e-4, 1e-2).loguniform().sample(random_state=7) < 1e-2
    True
    """

    def __init__(self, lower: float | None, upper: float | None) -> None:
        self.lower = float("-inf") if lower is None else lower
        self.upper = float("inf") if upper is None else upper

    def cast(self, value: Any) -> float:
        """Return *value* as a float."""
        return float(value)

    def uniform(self) -> Float:
        """Return this domain, drawn uniformly."""
        return self._with(Uniform())

    def loguniform(self, base: object = NOT_GIVEN) -> Float:
        """Return this domain, drawn uniformly in the logarithm; *base* is ignored."""
        warn_of_base(base)
        return self._with(LogUniform())

    def normal(self, mean: float = 0.0, sd: float = 1.0) -> Float:
        """Return this domain, which must have no bounds, drawn from a normal distribution."""
        return self._with(Normal(mean, sd))

    def quantized(self, q: float) -> Float:
        """Return this domain, rounded to multiples of *q*; bounds must be such."""
        return self._with(Quantized(self.get_sampler(), q), instead=True)

    def is_valid(self, value: Any) -> bool:
        """Whether *value* is a number within the bounds."""
        return is_number(value) and self.lower <= value <= self.upper

    @property
    def domain_str(self) -> str:
        """The bounds."""
        return f"({self.lower}, {self.upper})"

    def __domain__(self) -> core.Domain:
        sampler, q = self._scale()
        if isinstance(sampler, Normal):
            for name, bound in (("lower", self.lower), ("upper", self.upper)):
                if bound and abs(bound) != float("inf"):  # Ray Tune lets 0 pass for no bound
                    raise BadArgument(name, bound, "None", "a normal distribution has no bounds")
            return core.Normal(sampler.mean, sampler.sd, q)
        return core.Float(self.lower, self.upper, isinstance(sampler, LogUniform), q)


class Integer(Domain):
    """Whole numbers from *lower* to *upper*, exclusive; inclusive once quantized by more than 1."""

    def __init__(self, lower: int, upper: int) -> None:
        self.lower, self.upper = lower, upper

    def cast(self, value: Any) -> int:
        """Return *value* as an int."""
        return int(value)

    def uniform(self) -> Integer:
        """Return this domain, drawn uniformly."""
        return self._with(Uniform())

    def loguniform(self, base: object = NOT_GIVEN) -> Integer:
        """Return this domain, drawn uniformly in the logarithm; *base* is ignored."""
        warn_of_base(base)
        return self._with(LogUniform())

    def quantized(self, q: int) -> Integer:
        """Return this domain, of which only the multiples of *q* are drawn."""
        return self._with(Quantized(self.get_sampler(), q), instead=True)

    def is_valid(self, value: Any) -> bool:
        """Whether *value* is a number within the bounds, both included."""
        return is_number(value) and self.lower <= value <= self.upper

    @property
    def domain_str(self) -> str:
        """The bounds."""
        return f"({self.lower}, {self.upper})"

    def __domain__(self) -> core.Domain:
        sampler, q = self._scale()
        step = 1 if q is None else whole("q", q)
        lower, upper = whole("lower", self.lower), whole("upper", self.upper)
        if upper <= lower:
            raise BadArgument("upper", self.upper, f"a whole number above lower={self.lower!r}")
        last = upper - 1 if step == 1 else upper
        return core.Integer(lower, last, isinstance(sampler, LogUniform), step)


class Categorical(Domain):
    """One of *categories*: any objects, also dicts and lists with domains of their own."""

    def __init__(self, categories: Iterable[Any]) -> None:
        self.categories = list(core.Categorical(categories).options)

    def uniform(self) -> Categorical:
        """Return this domain, each category equally likely."""
        return self._with(Uniform())

    def grid(self) -> Categorical:
        """Return this domain, all categories in turn."""
        return self._with(Grid())

    def __len__(self) -> int:
        return len(self.categories)

    def __getitem__(self, item: int) -> Any:
        return self.categories[item]

    def is_valid(self, value: Any) -> bool:
        """Whether *value* is one of the categories."""
        return value in core.Categorical(self.categories)

    @property
    def domain_str(self) -> str:
        """The categories."""
        return f"{self.categories}"

    def __repr__(self) -> str:
        return f"Categorical({self.categories})"

    def __domain__(self) -> core.Domain:
        return core.Grid(self.categories) if self.is_grid() else core.Categorical(self.categories)


class Function(Domain):
    """What *func* computes from the config, or from nothing.

    Its use of the global ``random`` and ``numpy.random`` is repeatable: they are seeded around each call.
    """

    default_sampler_cls = BaseSampler

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func
        self._function = core.Function(func, repeatable)
        self.pass_config = self._function.takes_config

    def is_function(self) -> bool:
        """Whether values are computed: yes."""
        return True

    def is_valid(self, value: Any) -> bool:
        """Whether *value* may come from the function: nobody knows."""
        return True

    @property
    def domain_str(self) -> str:
        """The function."""
        return f"({getattr(self.func, '__qualname__', self.func)})"

    def __domain__(self) -> core.Function:
        return self._function

    def _draw(self, config: Any, rng: Rng) -> Any:
        return self._function.compute(viewed(config, {}, (0, None)), rng)
