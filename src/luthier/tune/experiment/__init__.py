"""Trials and descriptions of experiments, at Ray Tune's path."""

from __future__ import annotations

from luthier.tune.experiment.experiment import Experiment
from luthier.tune.trial import Trial

__all__ = ["Experiment", "Trial"]
