"""The older name of the controller that schedulers get."""

from __future__ import annotations

from luthier.tune.adapt.controller import TuneController

TrialRunner = TuneController

__all__ = ["TrialRunner"]
