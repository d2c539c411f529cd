"""The error that Ray Tune's users catch."""

from __future__ import annotations

from luthier.core.errors import LuthierError


class TuneError(LuthierError):
    """Something about an experiment or a trial went wrong."""


class NoResult(TuneError, RuntimeError):
    """No trial has what was asked for."""
