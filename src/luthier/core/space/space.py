"""A search space."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType, RecursiveDependencyError
from luthier.core.rng import Rng
from luthier.core.space.axis import Axis, Path, spelled
from luthier.core.space.categorical import Weighted
from luthier.core.space.described import described, holds_domains
from luthier.core.space.likeness import remade
from luthier.core.space.plan import Call, Making, Plan
from luthier.core.space.view import NotYet, plain, viewed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luthier.core.terms import Config


class Space:
    """All configs that may be tried.

    A description is a dict with text keys, nested to any depth in dicts, lists and tuples.  In it:

    * a :class:`~luthier.core.space.domain.Domain` is an axis: it is drawn anew for each config;
    * ``{"grid_search": [...]}`` is an axis too, whose options are tried in turn by whoever walks the grid;
    * a choice (or grid) whose options hold domains of their own is a *condition* on these: they are drawn, and part of
      the config, only where their option is chosen;
    * a :class:`~luthier.core.space.function.Function` is computed from the rest, after all that it asks for;
    * all else is constant.  Containers are new in each config, other objects are shared.

    Randomness belongs to the axis: what is drawn depends on the generator given and on the axis' name alone, so that
    a new axis leaves the values of the others as they were.

    Args:
        description: the dict; None and ``{}`` stand for the space of one empty config.

    Raises:
        BadArgument: where the description cannot be used; the text names the place.

    >>> from luthier.core.rng import rng_at
    >>> from luthier.core.space import Categorical, Float
    >>> space = Space({"lr": Float(0.0, 1.0), "model": Categorical(["cnn", {"depth": Categorical([2, 4])}])})
    >>> [axis.name for axis in space.axes]
    ['lr', 'model', 'model[1]/depth']
    >>> space.encode({"lr": 0.25, "model": {"depth": 4}})
    [0.25, 0.75, 0.75]
    >>> space.decode([0.25, 0.0, 0.75])
    {'lr': 0.25, 'model': 'cnn'}
    """

    __slots__ = ("_plan", "_uneven", "axes", "description")

    def __init__(self, description: Mapping[str, Any] | None = None) -> None:
        if description is None:
            description = {}
        if not isinstance(description, dict):
            raise BadArgumentType("param_space", description, "a dict such as {'lr': tune.loguniform(1e-4, 1e-1)}")
        for key in description:
            if not isinstance(key, str):
                raise BadArgumentType(
                    "param_space", description, "a dict whose keys are text", f"{key!r} is a key of it"
                )
        try:
            self._plan, self.axes = _planned(description)
        except RecursionError:
            wanted = "a dict that ends somewhere"
            raise BadArgument("param_space", description, wanted, "it is nested too deeply, or holds itself") from None
        self.description = description
        self._uneven = any(isinstance(axis.domain, Weighted) for axis in self.axes)

    @property
    def grids(self) -> tuple[Axis, ...]:
        """The axes that are grids."""
        return tuple(axis for axis in self.axes if axis.is_grid)

    @property
    def grid_size(self) -> int:
        """How many points the grid has; 1 where there is none."""
        return self._plan.grid_size

    def sample(self, rng: Rng) -> Config:
        """Return a random config; a pure function of the place of *rng*."""
        return self._made(self._chance(rng), rng)

    def variant(self, point: int, rng: Rng) -> Config:
        """Return a config at the grid's *point*-th point (the first key in sorted order runs fastest), else random.

        Raises:
            BadArgument: if the grid has no such point.
        """
        if not 0 <= point < self.grid_size:
            raise BadArgument("point", point, f"a whole number from 0 to {self.grid_size - 1}")
        if self.grid_size == 1 and not self.grids:
            return self.sample(rng)
        units: dict[int, float] = {}
        self._plan.point(point, units)
        chance = self._chance(rng)

        def unit(axis: Axis) -> float:
            fixed = units.get(axis.number)
            return chance(axis) if fixed is None else fixed

        return self._made(unit, rng)

    def encode(self, config: Mapping[str, Any]) -> list[float]:
        """Return *config* as one number in [0, 1] per axis, NaN for those that are not alive in it.

        Values beyond their bounds go to the bound, keys that the space does not know are passed over.

        Raises:
            BadArgument: where something is missing, or is no option of its choice.
        """
        vector = [math.nan] * len(self.axes)
        try:
            self._plan.read([config], vector)
        except (KeyError, IndexError, TypeError) as error:
            why = f"it has no {error}" if isinstance(error, KeyError) else repr(error)
            raise BadArgument("config", config, "a config of this space", why) from error
        return vector

    def decode(self, vector: Sequence[float], rng: Rng | None = None) -> Config:
        """Return the config at *vector*; numbers for axes that are not alive are passed over.

        Args:
            vector: one number per axis, clipped to [0, 1]; a NaN where the axis is alive is drawn.
            rng: for functions that want chance, and for those NaNs.

        Raises:
            BadArgument: if the length is not the number of axes.
        """
        if len(vector) != len(self.axes):
            raise BadArgument("vector", list(vector), f"{len(self.axes)} numbers, one per axis")
        source = Rng(0) if rng is None else rng
        chance = self._chance(source)

        def unit(axis: Axis) -> float:
            u = float(vector[axis.number])
            return u if u == u else chance(axis)  # noqa: PLR0124 (NaN)

        return self._made(unit, source)

    def alive(self, config: Mapping[str, Any]) -> list[bool]:
        """Return which axes are alive in *config*, one truth value per axis."""
        return [not math.isnan(u) for u in self.encode(config)]

    def drawn(self, config: Mapping[str, Any]) -> dict[Path, Any]:
        """Return what of *config* was drawn or computed rather than given, by path.

        A choice between dicts with domains counts with all that the chosen one holds.
        """
        found: dict[Path, Any] = {}
        self._plan.drawn([config], found)
        return found

    def __contains__(self, config: object) -> bool:
        return isinstance(config, dict) and self._plan.holds([config])

    def __len__(self) -> int:
        return len(self.axes)

    def __repr__(self) -> str:
        return f"Space({self.description!r})"

    def _chance(self, rng: Rng) -> Callable[[Axis], float]:
        """Return what draws a place on an axis; where options have weights, by them."""
        split = rng.split
        if self._uneven:
            return lambda axis: axis.domain.place(split(axis.key).random())
        return lambda axis: split(axis.key).random()

    def _made(self, unit: Callable[[Axis], float], rng: Rng) -> Config:
        around: list[Any] = [None]
        making = Making([], [])
        self._plan.make(around, unit, making)
        if making.calls:
            _settle(around[0], making, rng)
        for box, key, like in reversed(making.seals):
            box[key] = remade(like, box[key])
        config: Config = around[0]
        return config


def _planned(description: dict[str, Any]) -> tuple[Plan, tuple[Axis, ...]]:
    if described(description, "param_space") is not None:
        raise BadArgument("param_space", description, "a dict with a name for it, such as {'x': tune.grid_search(...)}")
    axes: list[Axis] = []
    return Plan(description, (), axes), tuple(axes)


def _settle(config: Config, making: Making, rng: Rng) -> None:
    """Compute the functions, in an order in which each finds what it asks for."""
    waiting: dict[int, dict[Any, str]] = {}
    for box, key, call in making.calls:
        waiting.setdefault(id(box), {})[key] = spelled(call.path)
    calls = making.calls
    while calls:
        again, needs = [], []
        for box, key, call in calls:
            view = viewed(config, waiting, (id(box), key))
            try:
                value = call.function.compute(view, rng.split(call.place))
            except NotYet as error:
                again.append((box, key, call))
                needs.append(f"{spelled(call.path)} needs {error}")
            except Exception as error:
                wanted = "a function that works on every config of the space"
                raise BadArgument(spelled(call.path), call.function, wanted, f"it raised {error!r}") from error
            else:
                box[key] = _resolved(plain(value), call, rng)
                del waiting[id(box)][key]
        if len(again) == len(calls):
            raise RecursiveDependencyError(f"no order computes these functions: {'; '.join(needs)}")
        calls = again


def _resolved(value: Any, call: Call, rng: Rng) -> Any:
    """Return *value*, which a function gave back, with the domains in it drawn."""
    if not holds_domains(value):
        return value
    space = Space({"value": value})
    if space.grids:
        raise BadArgument(spelled(call.path), value, "tune.choice", "a function cannot return a grid")
    return space.sample(rng.split(call.place, 1))["value"]
