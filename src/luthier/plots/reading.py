"""An experiment's directory, read for its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.goal import Goal
from luthier.plots.chronicle import Chronicle, chronicle
from luthier.store.card import ExperimentCard
from luthier.store.jsonl import JsonlStore

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence


def read_chronicle(
    directory: str | os.PathLike[str], goals: Sequence[Goal] | None = None, metrics: Iterable[str] = ()
) -> Chronicle:
    """Return what the log in *directory* tells; it may be running.  No pickle is loaded.

    Args:
        directory: the experiment's directory.
        goals: what is optimised; what its card says where None.
        metrics: of which metrics, beside the goals', curves are wanted.  Where there is neither goal nor metric, the
            first metric that trials reported is taken.

    Raises:
        NotAnExperiment: there is none.
        CorruptLog: its log is damaged.
    """
    card = ExperimentCard.read(directory, unpickle=False)
    if goals is None:
        goals = [Goal(metric, mode) for metric, mode in zip(card.metrics, card.modes, strict=True)]
    store = JsonlStore(directory, readonly=True, unpickle=False)
    wanted = list(metrics)
    found = chronicle(store.read(), goals, wanted, card.name, again=store.read)
    if not goals and not wanted and (names := found.metrics()):
        found = chronicle(store.read(), goals, names[:1], card.name, again=store.read)
    return found
