"""Stoppers: they say when a trial, or the whole experiment, has had enough."""

from __future__ import annotations

from luthier.tune.stopper.experiment_plateau import ExperimentPlateauStopper
from luthier.tune.stopper.function_stopper import FunctionStopper
from luthier.tune.stopper.maximum_iteration import MaximumIterationStopper
from luthier.tune.stopper.noop import NoopStopper
from luthier.tune.stopper.stopper import CombinedStopper, Stopper
from luthier.tune.stopper.timeout import TimeoutStopper
from luthier.tune.stopper.trial_plateau import TrialPlateauStopper

__all__ = [
    "CombinedStopper",
    "ExperimentPlateauStopper",
    "FunctionStopper",
    "MaximumIterationStopper",
    "NoopStopper",
    "Stopper",
    "TimeoutStopper",
    "TrialPlateauStopper",
]
