"""Which trials of an experiment go on when it is restored."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum

from luthier.core.errors import BadArgument


@dataclass
class ResumeConfig:
    """What becomes of the trials of an experiment that is restored, by how far they came.

    Each is a :class:`ResumeType`, or its value as text.

    Attributes:
        finished: of those that came to their end, or were stopped.
        unfinished: of those that were waiting, running or paused.
        errored: of those that failed.

    >>> ResumeConfig(errored="restart").errored
    <ResumeType.RESTART: 'restart'>
    """

    class ResumeType(Enum):
        """What becomes of a trial.

        ``RESUME``: it goes on from its last checkpoint; ``RESTART``: it begins anew; ``SKIP``: it stays as it is, and
        if it has not come to its end it counts as terminated.
        """

        RESUME = "resume"
        RESTART = "restart"
        SKIP = "skip"

    finished: ResumeType | str = ResumeType.SKIP
    unfinished: ResumeType | str = ResumeType.RESUME
    errored: ResumeType | str = ResumeType.SKIP

    def __post_init__(self) -> None:
        for field in fields(self):
            given = getattr(self, field.name)
            try:
                setattr(self, field.name, ResumeType(given.lower() if isinstance(given, str) else given))
            except ValueError:
                words = ", ".join(repr(kind.value) for kind in ResumeType)
                raise BadArgument(field.name, given, f"one of ResumeConfig.ResumeType, or {words}") from None


ResumeType = ResumeConfig.ResumeType
