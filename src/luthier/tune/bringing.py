"""Fetching what trials need that go on in an experiment which was fetched from elsewhere."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING

from luthier.checkpoints.local import path_of
from luthier.checkpoints.remote import fetch
from luthier.core.errors import StoreFailed
from luthier.tune.staging import remote_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luthier.core.state import ExperimentState
    from luthier.core.terms import Ref
    from luthier.store.journal import Journal
    from luthier.store.remote import Remote

log = logging.getLogger("luthier")
_WHOLE = ".whole"


class Bringing:
    """Fetches checkpoints and trials' files from *remote* into *directory*, where they are not there.

    Args:
        directory: the experiment's directory on this machine.
        remote: where it lives.
    """

    def __init__(self, directory: str, remote: Remote) -> None:
        self._dir, self._remote = directory, remote

    def checkpoint(self, ref: Ref) -> bool:
        """Return whether the checkpoint is on this machine, after fetching it if need be.

        Raises:
            StoreFailed: the remote cannot be read.
        """
        if os.path.isdir(path_of(ref, self._dir)):
            return True
        try:
            found = fetch(ref, self._dir, self._remote)
        except Exception as error:  # each file system raises errors of its own
            msg = f"the checkpoint {self._remote.url}/{ref} cannot be fetched: {type(error).__name__}: {error}"
            raise StoreFailed(msg) from error
        if not found:
            log.warning("the checkpoint %s/%s is not there", self._remote.url, ref)
        return found

    def unfinished(self, experiment: ExperimentState) -> None:
        """Fetch what the trials need that are to go on: their last checkpoints, and the files that they add to.

        Raises:
            StoreFailed: the remote cannot be read.
        """
        for trial in experiment.trials.values():
            if trial.status.final or not trial.attempt:
                continue
            if trial.checkpoint is not None:
                self.checkpoint(trial.checkpoint)
            self._files(trial.label.folder)

    def _files(self, folder: str) -> None:
        try:
            found = [(name, os.path.join(self._dir, *name.split("/"))) for name in self._remote.files(folder)]
            lacking = [(name, local) for name, local in found if not os.path.exists(local)]
            self._remote.get([(name, local) for name, local in lacking if not name.rpartition("/")[2].startswith(".")])
        except Exception as error:
            msg = f"{self._remote.url}/{folder} cannot be read: {type(error).__name__}: {error}"
            raise StoreFailed(msg) from error


def bring_files(directory: str, names: Iterable[str]) -> None:
    """Fetch files of the experiment in *directory* that are not there, where it lives elsewhere and they can be.

    Args:
        directory: the experiment's directory on this machine.
        names: of files in it.
    """
    lacking = [name for name in names if not os.path.exists(os.path.join(directory, *name.split("/")))]
    if not lacking:
        return
    try:
        remote = remote_of(directory)
        found = {} if remote is None else remote.read_those(lacking)
    except Exception as error:  # noqa: BLE001 (each file system raises errors of its own)
        log.debug("%s of %s cannot be fetched: %s", lacking, directory, error)
        return
    for name, text in found.items():
        path = os.path.join(directory, *name.split("/"))
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(f"{path}.fetched", "wb") as file:
                file.write(text)
            os.replace(f"{path}.fetched", path)


def settle(journal: Journal, remote: Remote, directory: str) -> None:
    """Take down in *journal* what is up already, where it does not know: on another machine than before.

    Raises:
        StoreFailed: the remote cannot be read.
    """
    if any(name.endswith("/") for name in journal.names()):
        return
    try:
        sizes = remote.sizes()
    except Exception as error:
        msg = f"{remote.url} cannot be read: {type(error).__name__}: {error}"
        raise StoreFailed(msg) from error
    known: list[tuple[str, int, int]] = []
    for name, size in sizes.items():
        folder, _, last = name.rpartition("/")
        if last.startswith(".") and last.endswith(_WHOLE):
            known.append((f"{folder}/{last[1 : -len(_WHOLE)]}/", 0, 0))
        elif not name.startswith("events/"):
            try:
                about = os.stat(os.path.join(directory, *name.split("/")))
            except OSError:
                continue
            if about.st_size == size:
                known.append((name, size, about.st_mtime_ns))
    journal.note(known)
