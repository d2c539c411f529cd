"""Grids, and who does not walk them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument
from luthier.core.space import spelled

if TYPE_CHECKING:
    from luthier.core.space import Space


def refuse_grids(space: Space, who: str) -> None:
    """Complain of the first grid in *space*, for *who* takes values from anywhere.

    Raises:
        BadArgument: there is one.

    >>> from luthier.core.space import Grid, Space
    >>> refuse_grids(Space({"x": Grid([1, 2])}), "Optuna")
    Traceback (most recent call last):
    luthier.core.errors.BadArgument: param_space['x']=Grid([1, 2]) cannot be used: Optuna does not walk grids; give
    tune.choice, which is searched as any other axis, or no search_alg for a grid.
    """
    for axis in space.grids:
        wanted = "tune.choice, which is searched as any other axis, or no search_alg for a grid"
        raise BadArgument(spelled(axis.path), axis.domain, wanted, f"{who} does not walk grids")
