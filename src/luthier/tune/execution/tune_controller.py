"""What schedulers of users' own get as controller, at Ray Tune's path."""

from __future__ import annotations

from luthier.tune.adapt.controller import TuneController

__all__ = ["TuneController"]
