"""How much is said, by names: what ``verbose`` takes."""

from __future__ import annotations

from enum import IntEnum


class Verbosity(IntEnum):
    """What ``verbose`` takes.

    >>> int(Verbosity.V2_TRIAL_NORM)
    2
    """

    V0_MINIMAL = 0
    V1_EXPERIMENT = 1
    V2_TRIAL_NORM = 2
    V3_TRIAL_DETAILS = 3
