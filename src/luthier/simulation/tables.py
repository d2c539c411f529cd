"""Learning curves that were recorded: a table of trials by steps, for replaying real experiments in no time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.terms import Config, Metrics

    Rows = Sequence[Sequence[float]] | Any  # or a numpy array of shape (trials, steps)


class Table:
    """Recorded curves; a config names its row.

    It is a curve (``table(config, step)``), and it knows the cost of each step and the length of each trial:
    ``World(engine, table, cost=table.cost, length=table.length)``.

    Args:
        curves: shape (trials, steps); a dict of metric to such an array where several were recorded.  Rows may
            differ in length.
        cost: seconds that each step took: one number, one per trial, or shape (trials, steps).
        metric: what the values are called where *curves* is not a dict.
        axis: the key of a config that holds the row's number.

    Raises:
        BadArgument: the arrays do not have the same rows, or there are none.

    >>> table = Table([[0.9, 0.5], [0.8, 0.7]], cost=[1.0, 2.0])
    >>> table({"row": 1}, 2), table.cost({"row": 1}, 2), table.length({"row": 1})
    ({'loss': 0.7}, 2.0, 2)
    """

    def __init__(
        self, curves: Rows | Mapping[str, Rows], cost: Any = 1.0, metric: str = "loss", axis: str = "row"
    ) -> None:
        self.curves: dict[str, Rows] = dict(curves) if isinstance(curves, Mapping) else {metric: curves}
        self.axis, self._cost = axis, cost
        lengths = {name: [len(row) for row in rows] for name, rows in self.curves.items()}
        self._lengths = next(iter(lengths.values()), [])
        if not self._lengths or min(self._lengths) < 1:
            raise BadArgument("curves", curves, "at least one row of at least one step")
        for name, found in lengths.items():
            if found != self._lengths:
                raise BadArgument(f"curves[{name!r}]", found, f"rows of the lengths {self._lengths}")
        if hasattr(cost, "__len__") and len(cost) != len(self._lengths):
            raise BadArgument("cost", cost, f"one number, or one entry for each of the {len(self._lengths)} rows")

    def __len__(self) -> int:
        return len(self._lengths)

    def __call__(self, config: Config, step: int) -> Metrics:
        """Return the metrics of the config's row after *step* steps (from 1)."""
        row = config[self.axis]
        return {name: float(rows[row][step - 1]) for name, rows in self.curves.items()}

    def cost(self, config: Config, step: int) -> float:
        """Return the seconds that *step* took."""
        if not hasattr(self._cost, "__len__"):
            return float(self._cost)
        mine = self._cost[config[self.axis]]
        return float(mine[step - 1] if hasattr(mine, "__len__") else mine)

    def length(self, config: Config) -> int:
        """Return how many steps the config's trial has."""
        return self._lengths[config[self.axis]]

    def configs(self) -> list[Config]:
        """Return one config for each row, in their order: what ``Fixed`` wants."""
        return [{self.axis: row} for row in range(len(self))]
