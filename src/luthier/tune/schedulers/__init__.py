"""Schedulers under Ray Tune's names, and :func:`create_scheduler`."""

from __future__ import annotations

from typing import Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.schedulers.async_hyperband import ASHAScheduler, AsyncHyperBandScheduler
from luthier.tune.schedulers.hb_bohb import HyperBandForBOHB
from luthier.tune.schedulers.hyperband import HyperBandScheduler
from luthier.tune.schedulers.hyperband_stopping import HyperBandStopping
from luthier.tune.schedulers.median_stopping_rule import MedianStoppingRule
from luthier.tune.schedulers.pasha import PASHAScheduler
from luthier.tune.schedulers.pb2 import PB2
from luthier.tune.schedulers.pbt import PopulationBasedTraining, PopulationBasedTrainingReplay
from luthier.tune.schedulers.promotion import ASHAPromotionScheduler
from luthier.tune.schedulers.resource_changing_scheduler import ResourceChangingScheduler
from luthier.tune.schedulers.trial_scheduler import FIFOScheduler, TrialScheduler

NAMES: dict[str, type[TrialScheduler]] = {
    "fifo": FIFOScheduler,
    "async_hyperband": AsyncHyperBandScheduler,
    "asynchyperband": AsyncHyperBandScheduler,
    "asha": AsyncHyperBandScheduler,
    "hyperband": HyperBandScheduler,
    "hyperband_stopping": HyperBandStopping,
    "hb_bohb": HyperBandForBOHB,
    "median_stopping_rule": MedianStoppingRule,
    "medianstopping": MedianStoppingRule,
    "asha_promotion": ASHAPromotionScheduler,
    "pasha": PASHAScheduler,
    "resource_changing": ResourceChangingScheduler,
    "pb2": PB2,
    "pbt": PopulationBasedTraining,
    "pbt_replay": PopulationBasedTrainingReplay,
}


def create_scheduler(scheduler: str, **arguments: Any) -> TrialScheduler:
    """Return the scheduler of that name.

    Raises:
        BadArgument: there is no scheduler of that name.

    >>> type(create_scheduler("asha", max_t=9)).__name__
    'AsyncHyperBandScheduler'
    """
    wanted = f"one of {', '.join(sorted(NAMES))}"
    if not isinstance(scheduler, str):
        raise BadArgumentType("scheduler", scheduler, wanted)
    name = scheduler.lower()
    if name not in NAMES:
        raise BadArgument("scheduler", scheduler, wanted)
    return NAMES[name](**arguments)


__all__ = [
    "PB2",
    "ASHAPromotionScheduler",
    "ASHAScheduler",
    "AsyncHyperBandScheduler",
    "FIFOScheduler",
    "HyperBandForBOHB",
    "HyperBandScheduler",
    "HyperBandStopping",
    "MedianStoppingRule",
    "PASHAScheduler",
    "PopulationBasedTraining",
    "PopulationBasedTrainingReplay",
    "ResourceChangingScheduler",
    "TrialScheduler",
    "create_scheduler",
]
