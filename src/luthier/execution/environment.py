"""The environment that a trial's process is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_GENERAL = "OMP_NUM_THREADS"
_SPECIAL = ("MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def threads_of(resources: Mapping[str, float]) -> int:
    """Return how many threads a trial with *resources* is to compute with.

    >>> threads_of({"cpu": 2.5}), threads_of({"gpu": 1.0})
    (2, 1)
    """
    return max(1, int(resources.get("cpu", 1.0)))


def thread_environment(threads: int, given: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that hold numerical libraries to *threads* threads.

    What the user has set in *given* counts; ``OMP_NUM_THREADS`` counts for all libraries, since they follow it.

    >>> thread_environment(2, {"OMP_NUM_THREADS": "8"})
    {}
    >>> thread_environment(2, {"MKL_NUM_THREADS": "8"})["OPENBLAS_NUM_THREADS"]
    '2'
    """
    if _GENERAL in given:
        return {}
    return {name: str(threads) for name in (_GENERAL, *_SPECIAL) if name not in given}
