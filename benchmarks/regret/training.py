"""A virtual training: learning curves as real ones are, with a memory.

Under a constant config the true loss is a power law of the steps, ``floor + HEIGHT * (1 + rate * step)**-alpha``: the
form that Cortes, Jackel, Solla, Vapnik, Denker: "Learning Curves: Asymptotic Values and Rate of Convergence", NeurIPS
1993, fits to real ones.  A high learning rate is fast and ends high, a low one is slow and ends low: curves cross.
What is seen is the loss plus noise, which is larger early in a training, with a spike now and then.  Some configs
diverge.  Luck, which has a heavy tail, is part of each config's floor.

There are two kinds.  Usual curves: nearly all that end among the best are ahead of most others from the first step on,
as Egele, Guyon, Sun, Balaprakash: "Is One Epoch All You Need For Multi-Fidelity Hyperparameter Optimization?", ESANN
2023, found in the collections of real ones.  Misleading curves: half of them are not.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.rng import Rng, rng_at
from luthier.core.space import Float, Integer, Space

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from luthier.core.terms import Config
    from luthier.simulation.world import World

R = 64  # steps of a full training
HEIGHT = 2.2  # of the loss above its floor, before the first step
CHANCE = 2.3  # the loss of what has diverged
AXES = {
    "lr": Float(1e-5, 1.0, log=True),
    "decay": Float(1e-6, 1e-1, log=True),
    "dropout": Float(0.0, 0.6),
    "width": Integer(16, 512, log=True),
}
SPACE = Space(AXES)


class Kind(NamedTuple):
    """A kind of training.

    Attributes:
        name: what it is called.
        best: the power of ten of the learning rate that has the lowest floor.
        fastest: the power of ten of the learning rate that learns fastest.
        speed: the power of ten of its rate.
    """

    name: str
    best: float
    fastest: float
    speed: float


USUAL = Kind("usual", -2.5, -1.5, 0.5)
MISLEADING = Kind("misleading", -3.0, -1.0, 0.8)  # who is ahead early has far too high a learning rate


class Traits(NamedTuple):
    """What a config is like: where its loss tends to, how fast, and its own dice."""

    floor: float
    rate: float
    alpha: float
    dice: Rng


def traits(config: Config, seed: int, kind: Kind = USUAL, *, lucky: bool = False) -> Traits | None:
    """Return the traits of *config*; None where it diverges.  *lucky*: as good as luck can make it."""
    lr, decay, dropout, width = config["lr"], config["decay"], config["dropout"], config["width"]
    x, wide = math.log10(lr), math.log2(width / 64)
    # By the values, not by the trial: whoever comes by a config has the same luck with it.
    dice = rng_at(seed, *(int(v * 2.0**40) for v in (lr, decay, dropout, width)))
    if x > -0.6 - 0.12 * wide + 0.2 * dice.normal():
        return None
    floor = 0.06 + 0.03 * (x - kind.best) ** 2 + 0.01 * (math.log10(decay) + 3.5 + 0.3 * wide) ** 2
    floor += 0.6 * (dropout - 0.2 - 0.03 * wide) ** 2 + 0.03 * 2.0 ** (-wide)
    luck = 0.0 if lucky else 0.02 * ((1.0 - dice.random()) ** -0.4 - 1.0)  # Pareto
    over = x - kind.fastest
    rate = 10.0 ** (kind.speed + (-0.5 * over * over if over > 0 else 0.6 * over)) * 2.0 ** (-0.2 * wide)
    return Traits(floor + luck, rate, 0.95 - 0.5 * dropout, dice)


class Training:
    """One world's trainings: a course, which notes the model in hand as time passes.

    The model in hand is that of the best loss seen so far; it is worth what its true loss is.

    Args:
        seed: of noise and luck.
        kind: what the curves are like.

    Attributes:
        world: whose clock is read.
        history: (virtual seconds, true loss of the model in hand), at each change.
    """

    def __init__(self, seed: int, kind: Kind = USUAL) -> None:
        self.seed, self.kind = seed, kind
        self.world: World | None = None
        self.history: list[tuple[float, float]] = []
        self._best = math.inf
        self._traits: dict[tuple[Any, ...], Traits | None] = {}

    def advance(self, config: Config, step: int, state: Any) -> tuple[float, Any]:
        """Return the loss as it is seen, and (excess, floor) after this step."""
        key = (config["lr"], config["decay"], config["dropout"], config["width"])
        if key not in self._traits:
            self._traits[key] = traits(config, self.seed, self.kind)
        has = self._traits[key]
        if has is None or state == "diverged":
            return CHANCE, "diverged"
        excess, floor = (HEIGHT, has.floor) if state is None else state
        floor += 0.1 * (has.floor - floor)  # weights do not forget at once what they were trained with
        excess = HEIGHT * ((excess / HEIGHT) ** (-1.0 / has.alpha) + has.rate) ** -has.alpha
        loss = floor + excess
        dice = has.dice.split(step)
        sd = 0.001 + 0.03 * excess
        noise = dice.normal()
        seen = loss + sd * (noise if dice.random() > 0.05 else 5.0 * abs(noise))  # spikes go up
        if seen < self._best and self.world is not None:
            self._best = seen
            self.history.append((self.world.now, loss))
        return seen, (excess, floor)


def cost(config: Config, step: int) -> float:
    """Return the virtual seconds of a step: wide networks take longer."""
    return float(0.6 + 0.4 * config["width"] / 150.0)


def final(config: Config, kind: Kind, seed: int = 0, *, lucky: bool = False) -> float:
    """Return the true loss of *config* after a full training without changes."""
    has = traits(config, seed, kind, lucky=lucky)
    return CHANCE if has is None else has.floor + HEIGHT * (1 + has.rate * R) ** -has.alpha


@cache
def best_possible(kind: Kind) -> float:
    """Return what the luckiest best constant config reaches: no regret."""
    from scipy.optimize import differential_evolution

    bounds = [(-5.0, -1.2), (-6.0, -1.0), (0.0, 0.6), (4.0, 9.0)]

    def loss(v: Any) -> float:
        config = {"lr": 10 ** v[0], "decay": 10 ** v[1], "dropout": v[2], "width": 2 ** v[3]}
        return final(config, kind, lucky=True)

    return float(differential_evolution(loss, bounds, rng=0, tol=1e-10, polish=False, maxiter=200).fun)


@cache
def seconds() -> float:
    """Return the virtual seconds of a full training, on average."""
    return R * _mean(lambda config: cost(config, 1))


class Likeness(NamedTuple):
    """How like the end of trainings is what is seen of them after some steps.

    Attributes:
        step: after how many.
        crossing: share of the pairs of configs that stand the wrong way round; two that diverge are no pair.
        kept: share of the best hundredth that stand among the best quarter.
    """

    step: int
    crossing: float
    kept: float


def likeness(kind: Kind, steps: Sequence[int] = (1, 4, 16), draws: int = 2000) -> list[Likeness]:
    """Return how well those steps foretell the end."""
    end, seen = [], {step: [] for step in steps}  # type: tuple[list[float], dict[int, list[float]]]
    for number in range(draws):
        config, training, state = SPACE.sample(rng_at(5, number)), Training(0, kind), None
        end.append(final(config, kind))
        for at in range(1, max(steps) + 1):
            loss, state = training.advance(config, at, state)
            if at in seen:
                seen[at].append(loss)
    best = sorted(range(draws), key=end.__getitem__)[: draws // 100]
    found = []
    for step, early in seen.items():
        quarter = sorted(early)[draws // 4]
        pairs = [(i, j) for i in range(0, draws, 4) for j in range(0, i, 4) if end[i] != end[j]]
        crossing = sum((early[i] < early[j]) != (end[i] < end[j]) for i, j in pairs) / len(pairs)
        found.append(Likeness(step, crossing, sum(early[i] <= quarter for i in best) / len(best)))
    return found


def diverging(kind: Kind, draws: int = 2000) -> float:
    """Return the share of configs that diverge."""
    return _mean(lambda config: float(traits(config, 0, kind) is None), draws)


def _mean(f: Callable[[Config], float], draws: int = 2000) -> float:
    return sum(f(SPACE.sample(rng_at(5, number))) for number in range(draws)) / draws
