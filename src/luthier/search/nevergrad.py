"""Nevergrad's optimizers as searchers."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.search.study import Suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from luthier.core.goal import Score
    from luthier.core.terms import Config
    from luthier.search.known import Known
    from luthier.search.nevergrad_space import Walk

_LARGEST = 4e20  # Nevergrad cuts off what is above 5e20, and complains
_ATTEMPTS = 4  # of the optimizer to propose what does not run already
_DRAWS = 200  # of the space, after that


class _Token:
    """A trial that has not ended: its candidate (None: Nevergrad is not told), its config, where its chance starts."""

    __slots__ = ("asked", "candidate", "key", "seed")

    def __init__(self, candidate: Any, config: Config, seed: int, *, asked: bool) -> None:
        self.candidate, self.key, self.seed, self.asked = candidate, repr(config), seed, asked


class NevergradStudy:
    """An optimizer of Nevergrad's.

    It knows neither failures nor stopped trials: a failure is told as the worst score so far, a stopped trial with its
    last one.  Several scores are told together, which Nevergrad weighs by the volume that they dominate.

    Args:
        walk: how configs are made.
        make: returns the optimizer for a parametrization.
        seed: the experiment's.
        known: what was evaluated elsewhere.

    Attributes:
        optimizer: Nevergrad's; None where there is nothing to choose.
        sequential: whether it, or one that it hands over to, needs each answer before it asks again.

    Raises:
        BadArgument: the optimizer cannot be told what is *known*.

    Source: Rapin and Teytaud, "Nevergrad - a gradient-free optimization platform", 2018.
    """

    retraced = True  # populations and the like: an optimizer cannot be told what it was

    def __init__(self, walk: Walk, make: Callable[[Any], Any], seed: int = 0, known: Sequence[Known] = ()) -> None:
        import numpy as np

        self.walk, self.seed = walk, seed
        self.optimizer: Any = None
        self.sequential = False
        self._rng = np.random.RandomState(rng_at(seed, 1).seed32())
        self._births = 0
        self._pending: dict[str, int] = {}  # how many trials run with each config
        self._spare: list[Any] = []  # candidates that were asked for and never tried
        self._worst: tuple[Score, ...] | None = None
        if walk.parametrization is not None:
            walk.parametrization.random_state = self._rng
            with self._alone(rng_at(seed, 2).seed32()):
                self.optimizer = make(walk.parametrization)
                getattr(self.optimizer, "optim", None)  # some choose another only when it is needed
                self.sequential = _sequential(self.optimizer, set())
        for config, scores, _ in known:
            token = self.insert(config)
            if token is not None and not self._told(token, scores):
                wanted = f"None: {self.optimizer.name} takes no points but its own"
                raise BadArgument("evaluated_rewards", scores, wanted)

    def propose(self, seed: int) -> Suggestion | Nothing:
        """Return a new point, and Nevergrad's candidate for it."""
        from nevergrad.common.errors import NevergradEarlyStopping
        from nevergrad.optimization.recaster import TooManyAskError

        if self.optimizer is None:
            return self._suggestion(None, seed, asked=False)
        try:
            found = self._suggestion(self._asked(seed), seed, asked=True)
            for attempt in range(1, 1 if self.sequential else _ATTEMPTS):
                if not self._runs(found):
                    break
                self.withdraw(found.token, forever=True)
                found = self._suggestion(self._asked(rng_at(seed, attempt).seed32()), seed, asked=True)
        except NevergradEarlyStopping:
            return Nothing.EXHAUSTED
        except AssertionError:
            if not self.optimizer.one_shot or self.optimizer.num_ask < (self.optimizer.budget or 0):
                raise
            return Nothing.EXHAUSTED  # it laid out as many points as it was said to need
        except TooManyAskError:  # it wants to hear of its last batch first
            return Nothing.NOT_YET
        for draw in range(0 if self.sequential else _DRAWS):
            if not self._runs(found):
                break
            self.withdraw(found.token, forever=True)
            config = self.walk.drawn(rng_at(seed, _ATTEMPTS, draw))
            found = Suggestion(config, self.insert(config))
        return found

    def insert(self, config: Config) -> Any:
        """Take in a config that others chose; None if it is not of this space."""
        if self.optimizer is None:
            return None
        self._births += 1
        seed = rng_at(self.seed, 3, self._births).seed32()
        with self._alone(seed):
            candidate = self.walk.candidate(config)
        return None if candidate is None else self._kept(_Token(candidate, config, seed, asked=False))

    def withdraw(self, token: Any, *, forever: bool = False) -> None:
        """Forget a proposal: it is the next one again, unless *forever*, for optimizers count on each of theirs."""
        self._drop(token)
        if token.asked and not forever:
            self._spare.append(token.candidate)

    def hear(self, token: Any, step: int, scores: tuple[Score, ...]) -> None:
        """Hear of a result on the way, which Nevergrad has no place for."""

    def settle(self, token: Any, scores: tuple[Score, ...] | None, *, stopped: bool) -> None:
        """Hear of a trial's end."""
        self._told(token, scores)

    def _told(self, token: _Token, scores: tuple[Score, ...] | None) -> bool:
        """Tell the optimizer; return whether it listens."""
        from nevergrad.common.errors import TellNotAskedNotSupportedError

        self._drop(token)
        if token.candidate is None:
            return True
        if scores is not None:
            scores = tuple(min(max(score, -_LARGEST), _LARGEST) for score in scores)
            self._worst = scores if self._worst is None else tuple(map(max, scores, self._worst))
        told = scores or self._worst or (_LARGEST,)
        with self._alone(rng_at(token.seed, 5).seed32()):
            try:
                self.optimizer.tell(token.candidate, told[0] if len(told) == 1 else list(told))
            except TellNotAskedNotSupportedError:
                return False
        return True

    # -- how it is done ------------------------------------------------------------------------------------------------
    def _asked(self, seed: int) -> Any:
        if self._spare:
            return self._spare.pop(0)
        with self._alone(seed), _threads_that_end():
            return self.optimizer.ask()

    def _suggestion(self, candidate: Any, seed: int, *, asked: bool) -> Suggestion:
        config = self.walk.config(candidate, rng_at(seed, 4))
        return Suggestion(config, self._kept(_Token(candidate, config, seed, asked=asked)))

    def _runs(self, found: Suggestion) -> bool:
        """Whether another trial runs with this config, though there are others."""
        return self._pending[found.token.key] > 1 and len(self._pending) < self.walk.size

    def _kept(self, token: _Token) -> _Token:
        self._pending[token.key] = self._pending.get(token.key, 0) + 1
        return token

    def _drop(self, token: _Token) -> None:
        left = self._pending[token.key] - 1
        if left:
            self._pending[token.key] = left
        else:
            del self._pending[token.key]

    @contextmanager
    def _alone(self, seed: int) -> Iterator[None]:
        """Have all chance start at *seed*; the generator that everybody shares is as before in the end."""
        import numpy as np

        before = np.random.get_state()  # noqa: NPY002 (some optimizers draw from it)
        self._rng.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 (as above)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of settings that are inefficient, budgets that are spent, and numpy
                yield
        finally:
            np.random.set_state(before)  # noqa: NPY002 (as above)


@contextmanager
def _threads_that_end() -> Iterator[None]:
    """Some optimizers are another library's, run in a thread that waits for answers: not beyond the end of the program.

    Nevergrad would have the interpreter wait for it, and it for an answer, for ever.
    """
    from nevergrad.optimization import recaster

    class Daemon(recaster._MessagingThread):  # type: ignore[misc]  # noqa: SLF001 (nothing else starts them)
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.daemon = True

    before, recaster._MessagingThread = recaster._MessagingThread, Daemon  # noqa: SLF001 (as above)
    try:
        yield
    finally:
        recaster._MessagingThread = before  # noqa: SLF001 (as above)


def _sequential(thing: Any, seen: set[int]) -> bool:
    """Whether *thing*, an optimizer or a list of such, or one inside, cannot ask twice before it is told."""
    from nevergrad.optimization.base import Optimizer

    if id(thing) in seen:
        return False
    seen.add(id(thing))
    if isinstance(thing, (list, tuple)):
        return any(_sequential(item, seen) for item in thing)
    if not isinstance(thing, Optimizer):
        return False
    return bool(thing.no_parallelization) or any(_sequential(inner, seen) for inner in list(vars(thing).values()))
