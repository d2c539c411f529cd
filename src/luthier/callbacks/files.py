"""The files that every trial gets in its directory, in Ray Tune's layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.callbacks.params import ParamFiles
from luthier.callbacks.result_files import ResultFiles

if TYPE_CHECKING:
    import os

    from luthier.callbacks.base import Listener


def result_files(experiment_dir: str | os.PathLike[str]) -> tuple[Listener, ...]:
    """Return the listeners that write ``params.json params.pkl result.json progress.csv`` (and missing error.txt).

    >>> [type(listener).__name__ for listener in result_files("results/quick")]
    ['ParamFiles', 'ResultFiles']
    """
    return ParamFiles(experiment_dir), ResultFiles(experiment_dir)
