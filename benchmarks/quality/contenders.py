"""Who searches: ours by themselves, other libraries with their own spaces and defaults, and chance."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import luthier.search
from benchmarks.quality import peers
from benchmarks.quality.tasks import Task
from luthier.core.engine import Engine
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.space import Space
from luthier.schedulers.fifo import Fifo
from luthier.search.auto import Auto
from luthier.search.cmaes import Cmaes
from luthier.search.evolution import Evolution
from luthier.search.gp import Gp
from luthier.search.tpe import Tpe
from luthier.search.variants import Variants
from luthier.simulation.world import World

if TYPE_CHECKING:
    from luthier.core.policy import Searcher

    Make = Callable[[Space, int, int], Searcher]


class Contender(NamedTuple):
    """Somebody who searches.

    Attributes:
        name: what it is called.
        search: evaluates points of a task, as many as is said, by a seed.
        library: what must be installed; empty for ours.
    """

    name: str
    search: Callable[[Task, int, int], None]
    library: str = ""

    @property
    def installed(self) -> bool:
        """Whether it can take part here."""
        return not self.library or importlib.util.find_spec(self.library) is not None

    @property
    def version(self) -> str:
        """What its results belong to: the release of a library, the sources of ours."""
        return f"{self.library} {metadata.version(self.library)}" if self.library else sources()


def ours(make: Make) -> Callable[[Task, int, int], None]:
    """Return how one of ours searches: through the engine, one trial at a time."""

    def search(task: Task, evaluations: int, seed: int) -> None:
        searcher = make(Space(task.space), evaluations, seed)
        engine = Engine(Limits(num_trials=evaluations, seed=seed), searcher, Fifo(), (Goal("loss", "min"),))
        World(engine, lambda config, _: task.loss(config), length=1, workers=1, keep_log=False).run()

    return search


def sources() -> str:
    """Return what changes when one of our searches does."""
    digest, folder = sha256(), Path(luthier.search.__file__).parent
    for name in OURS:
        digest.update((folder / f"{name}.py").read_bytes())
    return f"luthier {digest.hexdigest()[:12]}"


OURS = ["auto", "cmaes", "evolution", "gaussian", "gp", "observations", "parzen", "sobol", "tpe", "variants"]
RANDOM, TPE, AUTO, OPTUNA, HYPEROPT, NGOPT = "random", "tpe", "auto", "Optuna TPE", "HyperOpt TPE", "NGOpt"
CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(AUTO, ours(lambda space, n, seed: Auto(space, budget=n, seed=seed))),
        Contender(TPE, ours(lambda space, *_: Tpe(space))),
        Contender("gp", ours(lambda space, _, seed: Gp(space, seed=seed))),
        Contender("cmaes", ours(lambda space, _, seed: Cmaes(space, seed=seed))),
        Contender("evolution", ours(lambda space, _, seed: Evolution(space, seed=seed))),
        Contender(OPTUNA, peers.optuna, "optuna"),
        Contender(HYPEROPT, peers.hyperopt, "hyperopt"),
        Contender(NGOPT, peers.nevergrad, "nevergrad"),
        Contender(RANDOM, ours(lambda space, n, _: Variants(space, n))),
    )
}
USUAL = (AUTO, TPE, OPTUNA, HYPEROPT, NGOPT, RANDOM)
