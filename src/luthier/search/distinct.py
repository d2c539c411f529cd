"""A study whose proposals differ from what is being tried right now."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Integer, Rounded
from luthier.search.hp import Hp
from luthier.search.stepped import Stepped
from luthier.search.study import Suggestion

if TYPE_CHECKING:
    from luthier.core.goal import Score
    from luthier.core.space import Domain, Space
    from luthier.core.terms import Config
    from luthier.search.study import Study

_ATTEMPTS = 4  # of the library
_DRAWS = 32  # of the space, after that


class Distinct:
    """Asks *study* once more, by other chance, where it proposes what runs already; at last the space is drawn from.

    Libraries keep away from pending trials, but where values are few they come to the same config all the same.
    Spaces with fewer configs than trials that run are left alone.

    Args:
        study: the library's record.
        space: what it searches.
    """

    def __init__(self, study: Study, space: Space) -> None:
        self.study, self.space = study, space
        self.retraced = study.retraced
        self._size = math.prod(size(axis.domain) for axis in space.axes)
        self._count: dict[str, int] = {}  # how many trials run with each config, by its place in the space

    def propose(self, seed: int) -> Suggestion | Nothing:
        """Return a new point."""
        found = self.study.propose(seed)
        for attempt in range(1, _ATTEMPTS):
            if isinstance(found, Nothing) or not self._runs(found.config):
                break
            self.study.withdraw(found.token)
            found = self.study.propose(rng_at(seed, attempt).seed32())
        if not isinstance(found, Nothing) and self._runs(found.config):
            found = self._drawn(found, seed)
        if not isinstance(found, Nothing):
            found = Suggestion(found.config, self._keep(found.token, found.config))
        return found

    def insert(self, config: Config) -> Any:
        """Take in a config that others chose."""
        token = self.study.insert(config)
        return None if token is None else self._keep(token, config)

    def withdraw(self, token: Any) -> None:
        """Forget a proposal."""
        self.study.withdraw(self._drop(token))

    def hear(self, token: Any, step: int, scores: tuple[Score, ...]) -> None:
        """Hear of a result on the way."""
        self.study.hear(token[0], step, scores)

    def settle(self, token: Any, scores: tuple[Score, ...] | None, *, stopped: bool) -> None:
        """Hear of a trial's end."""
        self.study.settle(self._drop(token), scores, stopped=stopped)

    def _drawn(self, found: Suggestion, seed: int) -> Suggestion:
        for draw in range(_DRAWS):
            config = self.space.sample(rng_at(seed, _ATTEMPTS, draw))
            if not self._runs(config):
                self.study.withdraw(found.token)
                return Suggestion(config, self.study.insert(config))
        return found

    def _runs(self, config: Config) -> bool:
        return len(self._count) < self._size and self._key(config) in self._count

    def _key(self, config: Config) -> str:
        try:
            return repr(self.space.encode(config))
        except BadArgument:  # somebody had it tried that is not of this space
            return ""

    def _keep(self, token: Any, config: Config) -> tuple[Any, str]:
        key = self._key(config)
        self._count[key] = self._count.get(key, 0) + 1
        return token, key

    def _drop(self, kept: tuple[Any, str]) -> Any:
        token, key = kept
        left = self._count[key] - 1
        if left:
            self._count[key] = left
        else:
            del self._count[key]
        return token


def size(domain: Domain) -> float:
    """Return how many values *domain* has."""
    if isinstance(domain, Categorical):
        return len(domain.options)
    if isinstance(domain, Float) and domain.q is not None:
        return round((domain.upper - domain.lower) / domain.q) + 1
    return domain.count if isinstance(domain, (Hp, Integer, Rounded, Stepped)) else math.inf
