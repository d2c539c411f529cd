"""Schedulers by name: one line each.  Nothing is imported before it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luthier.core.policy import Scheduler

SCHEDULERS: Mapping[str, str] = {
    "fifo": "luthier.schedulers.fifo:Fifo",
    "asha": "luthier.schedulers.asha:Asha",
    "hyperband": "luthier.schedulers.hyperband:Hyperband",
    "hyperband_stopping": "luthier.schedulers.hyperband_stopping:HyperbandStopping",
    "hb_bohb": "luthier.schedulers.hb_bohb:HyperbandForBohb",
    "median": "luthier.schedulers.median:MedianRule",
    "asha_promotion": "luthier.schedulers.promotion:AshaPromotion",
    "pasha": "luthier.schedulers.pasha:Pasha",
    "resizing": "luthier.schedulers.resizing:Resizing",
    "pb2": "luthier.schedulers.pb2:Pb2",
    "pbt": "luthier.schedulers.pbt:Pbt",
    "pbt_replay": "luthier.schedulers.replay:Replay",
}


def scheduler_class(name: str) -> type[Scheduler]:
    """Return the class of the scheduler called *name*.

    Raises:
        BadArgument: there is none of that name.

    >>> scheduler_class("asha").__name__
    'Asha'
    """
    if name not in SCHEDULERS:
        raise BadArgument("scheduler", name, f"one of {', '.join(sorted(SCHEDULERS))}")
    module, _, noun = SCHEDULERS[name].partition(":")
    found: type[Scheduler] = getattr(import_module(module), noun)
    return found


def create_scheduler(name: str, **arguments: Any) -> Scheduler:
    """Return a new scheduler called *name*, made with *arguments*.

    >>> create_scheduler("asha", max_t=4, reduction_factor=2)
    Asha(rungs at 1, 2, 4)
    """
    return scheduler_class(name)(**arguments)
