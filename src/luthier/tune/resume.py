"""What ``tune.run(resume=...)`` may say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument
from luthier.tune.resume_config import ResumeConfig, ResumeType

if TYPE_CHECKING:
    from collections.abc import Mapping

_SUFFIXES: Mapping[str, tuple[ResumeType, ResumeType]] = {  # unfinished, errored
    "ERRORED": (ResumeType.RESUME, ResumeType.RESUME),
    "RESTART_ERRORED": (ResumeType.RESUME, ResumeType.RESTART),
    "ERRORED_ONLY": (ResumeType.SKIP, ResumeType.RESUME),
    "RESTART_ERRORED_ONLY": (ResumeType.SKIP, ResumeType.RESTART),
}
_WANTED = (
    "True or 'LOCAL' (the experiment must be there), 'AUTO' (else a new one is begun), either with "
    "+ERRORED, +RESTART_ERRORED, +ERRORED_ONLY or +RESTART_ERRORED_ONLY behind it, or False"
)


@dataclass(frozen=True)
class Resume:
    """Whether and how an experiment of that name goes on.

    Attributes:
        config: which of its trials do.
        must: whether it must be there; if not, a new one is begun where it is not.
    """

    config: ResumeConfig
    must: bool


def parsed(resume: bool | str | None, config: ResumeConfig | None = None) -> Resume | None:
    """Return what *resume* and *config* mean; None: a new experiment is begun.

    Raises:
        BadArgument: *resume* is unknown.

    >>> parsed("AUTO+RESTART_ERRORED").config.errored
    <ResumeType.RESTART: 'restart'>
    >>> parsed("ERRORED_ONLY").must
    True
    """
    if config is not None and not isinstance(config, ResumeConfig):
        raise BadArgument("resume_config", config, "a ResumeConfig")
    if resume is None or resume is False or resume == "":
        return Resume(config, must=False) if config is not None and resume is None else None
    if resume is True:
        return Resume(config or ResumeConfig(), must=True)
    if not isinstance(resume, str):
        raise BadArgument("resume", resume, _WANTED)
    first, *more = resume.upper().split("+")
    if first in ("REMOTE", "PROMPT"):
        why = "nothing is asked" if first == "PROMPT" else "storage_path says where the experiment is"
        raise BadArgument("resume", resume, _WANTED, why)
    if first in _SUFFIXES:  # as it was spelled once
        first, more = "LOCAL", [first, *more]
    if first not in ("LOCAL", "TRUE", "AUTO") or any(word not in _SUFFIXES for word in more):
        raise BadArgument("resume", resume, _WANTED)
    found = ResumeConfig()
    for word in more:
        unfinished, errored = _SUFFIXES[word]
        found = ResumeConfig(unfinished=unfinished, errored=errored)
    return Resume(config or found, must=first != "AUTO")
