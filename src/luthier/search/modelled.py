"""A record for libraries that fit a model of all trials, and whose best place may be one that was tried."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.space import Float
from luthier.search.recorded import Recorded
from luthier.search.study import Suggestion

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from luthier.core.rng import Rng
    from luthier.core.space import Space
    from luthier.core.terms import Config
    from luthier.search.flat_axes import Points
    from luthier.search.known import Known

_DRAWS = 256  # of the space, for one that was not tried
_CHANCE = 2  # streams below a proposal's place


class Modelled(Recorded):
    """Inherit, and write :meth:`suggested`.

    Until *startup* trials have ended configs are drawn from the space.  Then the library is asked; where it comes to
    what was tried (an integer's place is as wide as its value), it is told that this place leads there too, and asked
    again: its model learns where the steps are.

    Args:
        space: what is searched.
        points: how configs are made of the library's values.
        known: what was evaluated elsewhere; it counts as ended.
        startup: trials that have ended before there is a model.
        attempts: how often the library may come to what was tried in one proposal; 0 where it may repeat itself.
        digits: decimals by which configs are told apart: of a place in [0, 1], or of a float where that is finer.

    Attributes:
        over: whether nothing follows the last attempt; else a config that was not tried is drawn, if there is one.
    """

    over = False

    def __init__(
        self,
        space: Space,
        points: Points,
        known: Sequence[Known] = (),
        startup: int = 10,
        attempts: int = 1,
        digits: int = 12,
    ) -> None:
        self.space, self.startup, self.attempts, self.digits = space, startup, attempts, digits
        self._keys: dict[Any, Hashable] = {}  # what tells configs apart, by token
        super().__init__(points, known)

    def propose(self, seed: int) -> Suggestion | Nothing:
        """Return a new point; none at all where the library repeats itself and that is the end."""
        if not self.points.parts:  # there is but one config, and nothing to be tired of
            config = self.draw(rng_at(seed, _CHANCE))
            return Suggestion(config, self.insert(config))
        points, scores = self.record()
        if not scores or self.ended < self.startup:
            return self._at_random(seed)
        tried = dict(zip(self._keys.values(), scores, strict=True)) if self.attempts else {}
        for attempt in range(max(self.attempts, 1)):
            values = self.suggested(points, scores, seed if attempt == 0 else rng_at(seed, _CHANCE, attempt).seed32())
            if isinstance(values, Nothing):
                return values
            config = self.points.config(values, rng_at(seed, 1))
            key = self.key(config)
            if key not in tried:
                return Suggestion(config, self.insert(config))
            points, scores = [*points, values], [*scores, tried[key]]
        return Nothing.EXHAUSTED if self.over else self._at_random(seed)

    def draw(self, rng: Rng) -> Config:
        """Return a config of the space; the *rng* of a proposal is the same each time."""
        return self.space.sample(rng)

    def key(self, config: Config) -> Hashable:
        """Return what tells *config* from others."""
        return tuple(map(self._place, self.space.axes, self.space.encode(config)))

    def insert(self, config: Config) -> Any:
        """Take in a config that others chose; None if the library cannot say it."""
        token = super().insert(config)
        if token is not None:
            self._keys[token] = self.key(config)
        return token

    def withdraw(self, token: Any) -> None:
        """Forget a proposal that never became a trial."""
        super().withdraw(token)
        del self._keys[token]

    @property
    def ended(self) -> int:
        """How many trials have come to their end."""
        return sum(entry.scores is not None or entry.failed for entry in self.entries.values())

    def _at_random(self, seed: int) -> Suggestion | Nothing:
        config = self._drawn(seed)
        return Nothing.EXHAUSTED if config is None else Suggestion(config, self.insert(config))

    def _drawn(self, seed: int) -> Config | None:
        """Return a config that was not tried; None if none is found, and repeating is not allowed."""
        tried = set(self._keys.values()) if self.attempts else set()
        drawn = (self.draw(rng_at(seed, _CHANCE, 0, draw)) for draw in range(_DRAWS))
        fresh = next((config for config in drawn if self.key(config) not in tried), None)
        return fresh if fresh is not None or self.over else self.draw(rng_at(seed, _CHANCE, 0, 0))

    def _place(self, axis: Any, u: float) -> Hashable:
        if math.isnan(u):
            return None
        value = axis.domain.from_unit(u) if isinstance(axis.domain, Float) else 0.0
        return round(u, self.digits), round(value, self.digits)
