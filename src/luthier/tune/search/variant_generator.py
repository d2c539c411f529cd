"""All variants of a spec, with Ray Tune's interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import RecursiveDependencyError
from luthier.core.space import Grid, Space, described
from luthier.tune.search.chance import rng_of
from luthier.tune.search.sample import Categorical, Domain
from luthier.tune.tags import format_vars

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from luthier.core.space import Path

__all__ = ["RecursiveDependencyError", "format_vars", "generate_variants", "grid_search", "parse_spec_vars"]


def grid_search(values: Iterable[Any]) -> dict[str, Iterable[Any]]:
    """Return a description of a grid: each of *values* is tried.

    Several grids in one space give the Cartesian product; ``num_samples`` says how often it is walked.

    >>> grid_search([10, 20])
    {'grid_search': [10, 20]}
    """
    return {"grid_search": values}


def generate_variants(
    unresolved_spec: dict[str, Any],
    constant_grid_search: bool = False,
    random_state: object = None,
) -> Iterator[tuple[dict[Path, Any], dict[str, Any]]]:
    """Yield each point of the grid in *unresolved_spec*, with the rest drawn: what was chosen by path, and the spec.

    Args:
        unresolved_spec: a dict with domains, grids and functions in it, at any depth.
        constant_grid_search: whether what is drawn stays the same over the grid.
        random_state: an int, a numpy generator, or None for the global generator.

    Raises:
        BadArgument: where the spec cannot be used.
        RecursiveDependencyError: where functions wait for each other.

    >>> [spec for _, spec in generate_variants({"a": grid_search([1, 2]), "b": 3})]
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    space, rng = Space(unresolved_spec), rng_of(random_state)
    for point in range(space.grid_size):
        spec = space.variant(point, rng if constant_grid_search else rng.split(point))
        yield space.drawn(spec), spec


def parse_spec_vars(
    spec: dict[str, Any],
) -> tuple[list[tuple[Path, Any]], list[tuple[Path, Any]], list[tuple[Path, Any]]]:
    """Return what is constant in *spec*, what is to be drawn or computed, and what is a grid, each by path.

    >>> constants, domains, grids = parse_spec_vars({"a": 1, "b": {"c": grid_search([1, 2])}})
    >>> constants, domains, grids
    ([(('a',), 1)], [], [(('b', 'c'), Categorical([1, 2]))])
    """
    constants: list[tuple[Path, Any]] = []
    domains: list[tuple[Path, Any]] = []
    grids: list[tuple[Path, Any]] = []

    def walk(value: Any, path: Path) -> None:
        found = described(value) if path else None
        if isinstance(found, Grid):
            grids.append((path, value if isinstance(value, Domain) else Categorical(found.options).grid()))
        elif found is not None:
            domains.append((path, value))
        elif isinstance(value, (dict, list, tuple)):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                walk(item, (*path, key))
        else:
            constants.append((path, value))

    walk(spec, ())
    grids.sort(key=lambda grid: [(isinstance(part, int), part) for part in grid[0]])
    return constants, domains, grids
