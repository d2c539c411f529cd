"""A checkpoint of one file, made for a report and gone after it."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.checkpoints.base import Checkpoint
from luthier.core.errors import BadArgument
from luthier.worker.session import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def file_name(argument: str, given: object) -> str:
    """Return *given* if it names a file, and no path.

    Raises:
        BadArgument: it does not.

    >>> file_name("filename", "model.txt")
    'model.txt'
    """
    if not isinstance(given, str) or not given or given != Path(given).name or given == "..":
        raise BadArgument(argument, given, "a file's name, such as 'model'")
    return given


def report_saved(metrics: dict[str, Any], name: str, save: Callable[[str], Any]) -> None:
    """Report *metrics* with a checkpoint: the file *name*, which *save* writes to the path that it is given."""
    with tempfile.TemporaryDirectory(prefix="luthier_checkpoint_") as folder:
        save(str(Path(folder, name)))
        report(metrics, checkpoint=Checkpoint.from_directory(folder))


@contextlib.contextmanager
def file_in(checkpoint: Checkpoint | None, name: str) -> Iterator[str]:
    """Give the path of the file *name* in *checkpoint*, only to be read.

    Raises:
        BadArgument: there is none, or no checkpoint at all (None).
    """
    if checkpoint is None:
        raise BadArgument("checkpoint", None, "the checkpoint of a trial that saved one", "this trial saved none")
    with checkpoint.as_directory() as folder:
        path = Path(folder, name)
        if not path.exists():
            there = sorted(entry.name for entry in Path(folder).iterdir())
            raise BadArgument("filename", name, f"one of {there}", f"{checkpoint} has no such file")
        yield str(path)
