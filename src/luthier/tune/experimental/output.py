"""How much is said, by its newer names."""

from __future__ import annotations

from enum import IntEnum


class AirVerbosity(IntEnum):
    """What ``verbose`` takes.

    >>> int(AirVerbosity.VERBOSE)
    2
    """

    SILENT = 0
    DEFAULT = 1
    VERBOSE = 2
