"""Grid search, random search, and each combination of the two."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.space import Space, fixed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.events import News
    from luthier.core.policy import ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import Config


class Variants:
    """Walks the grid *num_samples* times and draws what is not on the grid anew at each point.

    The presets go first.  Each takes the place of one sample: what it names is fixed, the rest of the grid is walked
    and the rest of the axes drawn, so that a preset that fixes all of the grid is one trial.  Presets beyond
    *num_samples* are tried all the same.  On the grid the first key, in sorted order, runs fastest.

    Any number may be asked for at any time: the config follows from the number by arithmetic, and nothing is kept.

    Args:
        space: what to walk and to draw from.
        num_samples: how often to walk the grid; -1 for ever.
        points_to_evaluate: the presets, dicts that are nested as the space is.
        constant_grid_search: whether what is drawn stays the same over one walk of the grid.  It then belongs to
            *seed* and to the number of the walk.
        seed: only for *constant_grid_search*.

    Raises:
        BadArgument: if *num_samples* is neither -1 nor positive, or if a preset names what *space* does not have.

    >>> from luthier.core.space import Grid, Integer
    >>> searcher = Variants(Space({"a": Grid([1, 2]), "b": Integer(0, 2)}), 4, [{"a": 2, "b": 2}, {"a": 1}, {"b": 2}])
    >>> searcher.total
    6
    >>> searcher.ask(0, rng_at(7, 0)), [searcher.ask(n, rng_at(7, n))["a"] for n in range(1, 6)]
    ({'a': 2, 'b': 2}, [1, 1, 2, 1, 2])
    """

    def __init__(
        self,
        space: Space | Mapping[str, Any],
        num_samples: int = 1,
        points_to_evaluate: Sequence[Mapping[str, Any]] = (),
        constant_grid_search: bool = False,
        seed: int = 0,
    ) -> None:
        if isinstance(num_samples, bool) or not isinstance(num_samples, int):
            raise BadArgumentType("num_samples", num_samples, "a whole number, or -1 for no end")
        if num_samples < 1 and num_samples != -1:
            raise BadArgument("num_samples", num_samples, "a whole number above 0, or -1 for no end")
        if isinstance(points_to_evaluate, (str, dict)) or not hasattr(points_to_evaluate, "__iter__"):
            raise BadArgumentType("points_to_evaluate", points_to_evaluate, "a list of dicts")
        self.space = space if isinstance(space, Space) else Space(space)
        self.num_samples, self.constant_grid_search, self.seed = num_samples, constant_grid_search, seed
        self._presets = [
            fixed(self.space, point, f"points_to_evaluate[{i}]") for i, point in enumerate(points_to_evaluate)
        ]
        self._starts = [0]  # the number of the first trial of each preset, and of what follows them
        for preset in self._presets:
            self._starts.append(self._starts[-1] + preset.grid_size)

    @property
    def total(self) -> int | None:
        """How many configs there are; None for no end."""
        if self.num_samples == -1:
            return None
        return self._starts[-1] + max(self.num_samples - len(self._presets), 0) * self.space.grid_size

    def place(self, number: int) -> tuple[int, int] | None:
        """Return the sample (presets are the first) and the point of its grid that *number* stands for, or None."""
        first = self._starts[-1]
        if number < first:
            sample = bisect_right(self._starts, number) - 1
            return sample, number - self._starts[sample]
        walk, point = divmod(number - first, self.space.grid_size)
        sample = len(self._presets) + walk
        return (sample, point) if self.num_samples == -1 or sample < self.num_samples else None

    def ask(self, number: int, rng: Rng) -> Config | Nothing:
        """Return the *number*-th config, or that there is no such."""
        place = self.place(number)
        if place is None:
            return Nothing.EXHAUSTED
        sample, point = place
        space = self._presets[sample] if sample < len(self._presets) else self.space
        return space.variant(point, rng_at(self.seed, sample) if self.constant_grid_search else rng)

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Learn nothing: results change nothing here."""
