"""The default search algorithm: grid and random search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.arguments import whole
from luthier.core.errors import BadArgumentType
from luthier.search.variants import Variants
from luthier.tune.search.chance import seed_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.space import Space


class BasicVariantGenerator:
    """Asks for grid and random search; what a Tuner does where no ``search_alg`` is given.

    Args:
        points_to_evaluate: configs, or parts of such, to be tried first; each takes the place of one of
            ``num_samples``.  What a point leaves open is drawn, and walked where it is a grid.
        max_concurrent: how many trials may run at a time; 0 for no limit.
        constant_grid_search: whether what is drawn stays the same over one walk of the grid.
        random_state: the seed: an int, a numpy generator (which moves on by one draw), or None for the Tuner's.

    Attributes:
        seed: the seed that *random_state* stands for, or None.

    Raises:
        BadArgument: for points that are no dicts, and a negative *max_concurrent*.
    """

    def __init__(
        self,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        max_concurrent: int = 0,
        constant_grid_search: bool = False,
        random_state: object = None,
    ) -> None:
        points = [] if points_to_evaluate is None else points_to_evaluate
        if not isinstance(points, (list, tuple)) or not all(isinstance(point, dict) for point in points):
            raise BadArgumentType("points_to_evaluate", points_to_evaluate, "a list of dicts")
        self.points_to_evaluate = list(points)
        self.max_concurrent = whole("max_concurrent", max_concurrent, 0)
        self.constant_grid_search = constant_grid_search
        self.random_state = random_state
        self.seed = seed_of(random_state)

    def build(self, space: Space, num_samples: int = 1, seed: int = 0) -> Variants:
        """Return the searcher for *space*; its own seed goes before *seed*.

        Raises:
            BadArgument: if a point names what *space* does not have.
        """
        own = seed if self.seed is None else self.seed
        return Variants(space, num_samples, self.points_to_evaluate, self.constant_grid_search, own)
