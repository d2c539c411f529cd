"""Where an experiment lives."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument, ExperimentExists
from luthier.store.card import FILE_NAME

if TYPE_CHECKING:
    from luthier.tune.configs import RunConfig


def storage_of(run: RunConfig) -> str:
    """Return the directory that holds experiments."""
    given = run.storage_path or os.environ.get("LUTHIER_STORAGE_PATH") or "~/luthier_results"
    return os.path.abspath(os.path.expanduser(os.fspath(given)))


def remove_if_empty(directory: str) -> None:
    """Take back the directory of an experiment that did not come to be."""
    with contextlib.suppress(OSError):
        os.rmdir(directory)


def refuse_taken(directory: str, name: str) -> None:
    """Raise ExperimentExists if *directory* holds an experiment."""
    if os.path.exists(os.path.join(directory, FILE_NAME)):
        msg = (
            f"name={name!r}: {directory} holds an experiment already. Go on with it by "
            f"tune.Tuner.restore({directory!r}, trainable), or give another name (or none)."
        )
        raise ExperimentExists(msg)


def new_directory(run: RunConfig, trainable_name: str) -> tuple[str, str]:
    """Make the experiment's directory; return its name and its path.

    Raises:
        ExperimentExists: a name was given, and it holds an experiment already.
        BadArgument: it cannot be made or written.
    """
    storage = storage_of(run)
    name = run.name or f"{trainable_name}_{time.strftime('%Y-%m-%d_%H-%M-%S')}"
    made, number = name, 1
    while True:
        directory = os.path.join(storage, made)
        try:
            os.makedirs(directory, exist_ok=run.name is not None)
        except FileExistsError:
            if os.path.isdir(directory):
                number += 1
                made = f"{name}_{number}"
                continue
            raise BadArgument("name", name, "another name", f"{directory} is a file") from None
        except OSError as error:
            raise BadArgument(
                "storage_path", storage, "a directory that you may write to", f"{error.strerror}: {error.filename}"
            ) from error
        break
    refuse_taken(directory, name)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise BadArgument("storage_path", storage, "a directory that you may write to", f"{directory} is read-only")
    return made, directory
