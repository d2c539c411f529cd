"""A search space, compiled: flat lists of what to make, to draw and to compute.

A :class:`Plan` belongs to one place: the whole config, or what one option of a choice brings along.  It works on
*boxes*, the containers of the config being made, by number: box 0 is the container around the place, box n the one
made by the n-th shell.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.errors import BadArgument
from luthier.core.space.axis import Axis, Condition, Path, place_of, spelled
from luthier.core.space.categorical import Categorical, Grid
from luthier.core.space.described import described, holds_domains
from luthier.core.space.function import Function
from luthier.core.space.likeness import fresh, holds_containers, remade, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Box = Any  # a dict or a list


class Shell(NamedTuple):
    """A container to make anew for each config."""

    parent: int
    key: Any
    template: Box  # its constants, and None where something follows
    tuple_like: tuple[Any, ...] | None  # what the list becomes in the end


class Call(NamedTuple):
    """A function's value to be computed."""

    box: int
    key: Any
    path: Path
    function: Function
    place: int


class Branch(NamedTuple):
    """A choice of which at least one option holds axes or functions of its own."""

    box: int
    key: Any
    axis: Axis
    domain: Categorical
    options: tuple[Plan | None, ...]


class _GridPart(NamedTuple):
    """One grid: how many points it has, where those of each option begin, and what the options bring along.

    Where no option brings anything along each is one point, and both lists are empty.
    """

    axis: Axis
    domain: Grid
    size: int
    starts: tuple[int, ...] = ()
    options: tuple[Plan | None, ...] = ()


class Making(NamedTuple):
    """What is left to do once all axes have been drawn."""

    calls: list[tuple[Box, Any, Call]]
    seals: list[tuple[Box, Any, tuple[Any, ...]]]


class Plan:
    """See the module."""

    __slots__ = ("_grids", "branches", "calls", "constants", "copies", "grid_size", "key", "shells", "slots")

    def __init__(
        self,
        value: object,
        path: Path,
        axes: list[Axis],
        *,
        name: str = "",
        condition: Condition | None = None,
        under_choice: bool = False,
    ) -> None:
        self.key: str | int = path[-1] if path else 0
        self.shells: list[Shell] = []
        self.slots: list[tuple[int, Any, Axis, Callable[[float], Any]]] = []
        self.branches: list[Branch] = []
        self.calls: list[Call] = []
        self.copies: list[tuple[int, Any, Any]] = []
        self.constants: list[tuple[int, Any, Any]] = []
        _Compiler(self, axes, condition, under_choice=under_choice).add(value, 0, self.key, path, name)
        self._grids = sorted(_grids(self), key=lambda grid: [(isinstance(part, int), part) for part in grid.axis.path])
        self.grid_size: int = prod(grid.size for grid in self._grids)

    def make(self, around: Box, unit: Callable[[Axis], float], making: Making) -> None:
        """Put a new value at the place in *around*, with the axes where *unit* says."""
        boxes = [around]
        for parent, key, template, tuple_like in self.shells:
            box = template.copy()
            boxes[parent][key] = box
            boxes.append(box)
            if tuple_like is not None:
                making.seals.append((boxes[parent], key, tuple_like))
        for number, key, constant in self.copies:
            boxes[number][key] = fresh(constant)
        for number, key, axis, from_unit in self.slots:
            boxes[number][key] = from_unit(unit(axis))
        for branch in self.branches:
            k = branch.domain.pick(unit(branch.axis))
            option = branch.options[k]
            if option is None:
                boxes[branch.box][branch.key] = fresh(branch.domain.options[k])
            else:
                option.make(boxes[branch.box], unit, making)
        for call in self.calls:
            making.calls.append((boxes[call.box], call.key, call))

    def point(self, number: int, units: dict[int, float]) -> None:
        """Note in *units* where the grid's axes lie at its *number*-th point; the first path runs fastest."""
        for grid in self._grids:
            number, rest = divmod(number, grid.size)
            k = bisect_right(grid.starts, rest) - 1 if grid.starts else rest
            units[grid.axis.number] = grid.domain.middle(k)
            option = grid.options[k] if grid.options else None
            if option is not None:
                option.point(rest - grid.starts[k], units)

    def read(self, around: Box, vector: list[float] | dict[int, float]) -> None:
        """Put into *vector* where the axes lie that are alive in the value at the place in *around*."""
        boxes = self._opened(around)
        for number, key, axis, _ in self.slots:
            try:
                vector[axis.number] = axis.domain.to_unit(boxes[number][key])
            except BadArgument as error:
                raise BadArgument(spelled(axis.path, "config"), error.given, error.wanted) from error
        for branch in self.branches:
            k = self._chosen(branch, boxes[branch.box])
            vector[branch.axis.number] = branch.domain.middle(k)
            option = branch.options[k]
            if option is not None:
                option.read(boxes[branch.box], vector)

    def _opened(self, around: Box) -> list[Box]:
        boxes = [around]
        for parent, key, _, _ in self.shells:
            boxes.append(boxes[parent][key])
        return boxes

    def _chosen(self, branch: Branch, around: Box) -> int:
        value, plain = around[branch.key], branch.domain.options
        for exactly in (True, False):  # numbers beyond their bounds still leave the option's shape
            for k, option in enumerate(branch.options):
                if option is None:
                    if same(plain[k], value):
                        return k
                elif option.holds(around) if exactly else option.resembles(around):
                    return k
        raise BadArgument(spelled(branch.axis.path, "config"), value, f"one of the {len(plain)} options of the choice")

    def resembles(self, around: Box) -> bool:
        """Whether the value at the place in *around* can be read, be it out of bounds."""
        if not self.fits(around):
            return False
        try:
            self.read(around, {})
        except BadArgument:
            return False
        return True

    def fits(self, around: Box) -> bool:
        """Whether the value at the place in *around* has this plan's containers, keys and constants."""
        boxes = [around]
        for parent, key, template, _ in self.shells:
            box = boxes[parent][key]
            if isinstance(template, dict):
                if not isinstance(box, dict) or box.keys() != template.keys():
                    return False
            elif not isinstance(box, (list, tuple)) or len(box) != len(template):
                return False
            boxes.append(box)
        return all(same(boxes[number][key], constant) for number, key, constant in self.constants)

    def holds(self, around: Box) -> bool:
        """Whether the value at the place in *around* is one that :meth:`make` may make (functions: any value)."""
        if not self.fits(around):
            return False
        boxes = self._opened(around)
        if not all(boxes[number][key] in axis.domain for number, key, axis, _ in self.slots):
            return False
        for branch in self.branches:
            value, box = boxes[branch.box][branch.key], boxes[branch.box]
            if not any(
                same(branch.domain.options[k], value) if option is None else option.holds(box)
                for k, option in enumerate(branch.options)
            ):
                return False
        return True

    def drawn(self, around: Box, found: dict[Path, Any]) -> None:
        """Note in *found* what was drawn or computed for the value at the place in *around*, by path."""
        boxes = self._opened(around)
        for number, key, axis, _ in self.slots:
            found[axis.path] = boxes[number][key]
        for branch in self.branches:
            _leaves(boxes[branch.box][branch.key], branch.axis.path, found)
        for call in self.calls:
            found[call.path] = boxes[call.box][call.key]


def _branches(domain: Any, path: Path) -> bool:
    """Return whether an option of *domain* is or holds a domain of its own."""
    if not isinstance(domain, Categorical) or isinstance(domain.options, range):
        return False
    return any(holds_domains(option, spelled(path)) for option in domain.options)


def _grids(plan: Plan) -> Iterator[_GridPart]:
    for _, _, axis, _ in plan.slots:
        if isinstance(axis.domain, Grid):
            yield _GridPart(axis, axis.domain, len(axis.domain.options))
    for branch in plan.branches:
        if isinstance(branch.domain, Grid):
            sizes = [1 if option is None else option.grid_size for option in branch.options]
            *starts, size = accumulate(sizes, initial=0)
            yield _GridPart(branch.axis, branch.domain, size, tuple(starts), branch.options)


def _leaves(value: object, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            _leaves(item, (*path, key), found)
    else:
        found[path] = value


class _Compiler:
    """Sorts the parts of one value into a plan."""

    def __init__(self, plan: Plan, axes: list[Axis], condition: Condition | None, *, under_choice: bool) -> None:
        self.plan, self.axes, self.condition, self.under_choice = plan, axes, condition, under_choice

    def add(self, value: object, box: int, key: str | int, path: Path, name: str) -> None:
        found = described(value, spelled(path))
        if isinstance(found, Function):
            self.plan.calls.append(Call(box, key, path, found, place_of(name)))
        elif found is not None:
            self._add_axis(found, box, key, path, name)
        elif isinstance(value, (dict, list, tuple)) and (not path or holds_domains(value, spelled(path))):
            self._add_shell(value, box, key, path, name)
        else:
            self.plan.constants.append((box, key, value))
            if holds_containers(value):
                self.plan.copies.append((box, key, value))
            else:
                self.plan.shells[box - 1].template[key] = value

    def _add_shell(self, value: Any, box: int, key: Any, path: Path, name: str) -> None:
        if isinstance(value, dict):
            template: Box = value.copy()
            for k in value:
                if not isinstance(k, str):
                    raise BadArgument(spelled(path), value, "a dict whose keys are text", f"{k!r} is a key of it")
                template[k] = None
            parts: Iterable[tuple[Any, Any]] = value.items()
        else:
            template = [None] * len(value)
            parts = enumerate(value)
        like = value if isinstance(value, tuple) else None
        self.plan.shells.append(Shell(box, key, template, None if like is None else remade(like, [None] * len(like))))
        own = len(self.plan.shells)
        for k, item in parts:
            self.add(item, own, k, (*path, k), f"{name}/{k}" if name else str(k))

    def _add_axis(self, domain: Any, box: int, key: Any, path: Path, name: str) -> None:
        if isinstance(domain, Grid) and self.under_choice:
            wanted = "tune.choice here, or tune.grid_search for the choice around it"
            raise BadArgument(
                spelled(path),
                domain,
                wanted,
                "a grid inside an option of a choice would make the number of trials chance",
            )
        names = {axis.name for axis in self.axes}
        while name in names:  # {"a/b": ..., "a": {"b": ...}}
            name += "'"
        axis = Axis(len(self.axes), path, name, domain, self.condition, place_of(name))
        self.axes.append(axis)
        if not _branches(domain, path):
            self.plan.slots.append((box, key, axis, domain.from_unit))
            return
        under_choice = self.under_choice or not isinstance(domain, Grid)
        options = []
        for k, option in enumerate(domain.options):
            plan = None
            if holds_domains(option):
                condition = Condition(axis.number, k)
                inner = f"{name}[{k}]"
                plan = Plan(option, path, self.axes, name=inner, condition=condition, under_choice=under_choice)
            options.append(plan)
        self.plan.branches.append(Branch(box, key, axis, domain, tuple(options)))
