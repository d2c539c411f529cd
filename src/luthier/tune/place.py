"""Where an experiment lives."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument, ExperimentExists, LuthierError
from luthier.store.card import DRIVER_ERROR, FILE_NAME
from luthier.tune import staging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luthier.store.remote import Remote
    from luthier.tune.configs import RunConfig


def usual_storage() -> str:
    """Return where experiments are that nobody gave a place to: a path or a URL."""
    return os.environ.get("LUTHIER_STORAGE_PATH") or "~/luthier_results"


def storage_of(run: RunConfig) -> str | Remote:
    """Return the directory that holds experiments, or the folder elsewhere that does."""
    given = run.storage_path or usual_storage()
    return staging.experiment_at(os.fspath(given), run.storage_filesystem, "storage_path")


def without_secrets(run: RunConfig) -> RunConfig:
    """Return *run* as it may be written down: without the file system, which knows how to get in."""
    return run if run.storage_filesystem is None else dataclasses.replace(run, storage_filesystem=None)


def remove_if_empty(directory: str) -> None:
    """Take back the directory of an experiment that did not come to be."""
    with contextlib.suppress(OSError):
        os.rmdir(directory)


@contextlib.contextmanager
def noting_failure(directory: str, into: list[str]) -> Iterator[None]:
    """Write down what ends an experiment's driver, for ``luthier show``, and its first line *into* a list.

    What was written down before is forgotten: the experiment goes on.
    """
    path = Path(directory, DRIVER_ERROR)
    with contextlib.suppress(OSError):
        path.unlink()
    try:
        yield
    except LuthierError as error:
        into.append(f"{type(error).__name__}: {error}".split("\n", 1)[0])
        text = "".join(traceback.format_exception(error))
        with contextlib.suppress(OSError):
            path.write_text(f"{into[-1]}\n\n{text}", encoding="utf-8", errors="backslashreplace")
        raise


def forget_lock(directory: str) -> None:
    """Remove the lock's file, which only its holder may do."""
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(directory, ".lock"))


def refuse_taken(directory: str, name: str) -> None:
    """Raise ExperimentExists if *directory* holds an experiment."""
    if os.path.exists(os.path.join(directory, FILE_NAME)):
        raise _taken(name, directory)


def _taken(name: str, where: str, more: str = "") -> ExperimentExists:
    return ExperimentExists(
        f"name={name!r}: {where} holds an experiment already. Go on with it by "
        f"tune.Tuner.restore({where!r}, trainable), or give another name (or none).{more}"
    )


def new_directory(run: RunConfig, trainable_name: str) -> tuple[str, str, Remote | None]:
    """Make the experiment's directory; return its name, its path, and where it lives if that is elsewhere.

    Raises:
        ExperimentExists: a name was given, and it holds an experiment already.
        BadArgument: it cannot be made or written.
    """
    storage = storage_of(run)
    name = run.name or f"{trainable_name}_{time.strftime('%Y-%m-%d_%H-%M-%S')}"
    made, number = name, 1
    while True:
        remote = None if isinstance(storage, str) else storage.child(made)
        directory = (
            os.path.join(storage, made) if isinstance(storage, str) else staging.directory_of(storage.child(made))
        )
        taken = remote is not None and _holds_one(remote)
        if taken and run.name is not None:
            break
        try:
            os.makedirs(directory, exist_ok=run.name is not None)
            if not taken:
                break
            remove_if_empty(directory)
        except FileExistsError:
            if not os.path.isdir(directory):
                raise BadArgument("name", name, "another name", f"{directory} is a file") from None
        except OSError as error:
            argument, given = ("storage_path", storage) if isinstance(storage, str) else ("LUTHIER_STAGING", directory)
            raise BadArgument(
                argument, given, "a directory that you may write to", f"{error.strerror}: {error.filename}"
            ) from error
        number += 1
        made = f"{name}_{number}"
    if remote is None:
        refuse_taken(directory, name)
    elif taken or os.path.exists(os.path.join(directory, FILE_NAME)):
        more = "" if taken else f" It was not uploaded before this machine's last run ended: it is in {directory}."
        raise _taken(name, remote.url, more)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise BadArgument("storage_path", storage, "a directory that you may write to", f"{directory} is read-only")
    if remote is not None and os.path.exists(os.path.join(directory, "events")):  # of one that was fetched by half
        staging.forget_residue(directory)
        os.makedirs(directory)
    return made, directory, remote


def refuse_published(remote: Remote) -> None:
    """Raise ExperimentExists if there is an experiment at *remote* by now."""
    if _holds_one(remote):
        raise _taken(remote.url.rpartition("/")[2], remote.url)


def _holds_one(remote: Remote) -> bool:
    from luthier.store.fetch import is_there

    try:
        return is_there(remote)
    except Exception as error:
        raise unusable(remote, error) from error


def unusable(remote: Remote, error: BaseException) -> BadArgument:
    """Return what to say where *remote* cannot be read or written."""
    why = f"{type(error).__name__}: {error}".splitlines()[0]
    where = remote.url.rpartition("/")[0]
    return BadArgument("storage_path", where, "a place that can be reached and that you may write to", why)
