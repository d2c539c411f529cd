"""Schedulers for searches whose candidates learn in rounds."""

from __future__ import annotations

from inspect import signature
from typing import Any

from luthier.core.errors import BadArgument
from luthier.tune import schedulers


def scheduler_of(early_stopping: Any, rounds: int, *, bohb: bool) -> Any:
    """Return the scheduler that ``early_stopping`` stands for.

    Args:
        early_stopping: True, the name of a scheduler or of its class, or a scheduler.
        rounds: how many there are; one that is named is made for as many.
        bohb: whether BOHB searches, which needs its own HyperBand.

    Raises:
        BadArgument: there is no scheduler of that name.

    >>> type(scheduler_of("MedianStoppingRule", 9, bohb=False)).__name__
    'MedianStoppingRule'
    """
    if early_stopping is True:
        return (schedulers.HyperBandForBOHB if bohb else schedulers.ASHAScheduler)(max_t=rounds)
    if not isinstance(early_stopping, str):
        return early_stopping
    known: dict[str, Any] = schedulers.NAMES
    made = getattr(schedulers, early_stopping) if early_stopping in _CLASSES else known.get(early_stopping.lower())
    if made is None:
        wanted = f"True, a scheduler, or one of {', '.join(sorted(known))}"
        raise BadArgument("early_stopping", early_stopping, wanted)
    return made(max_t=rounds) if "max_t" in signature(made).parameters else made()


_CLASSES = frozenset(name for name in schedulers.__all__ if name[0].isupper() and name != "TrialScheduler")
