"""One driver at a time for an experiment that lives elsewhere, whatever machines they are on."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import time
from typing import TYPE_CHECKING

from luthier.core.errors import LuthierError, StoreFailed, TakenOver
from luthier.store.lease import Lease, claim_of_this_process
from luthier.store.tenure import Tenure

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from luthier.store.remote import Remote

log = logging.getLogger("luthier")

FILE_NAME = ".lease"  # in the staging directory: the token of the last driver there
_TRIES = 3


class Occupancy:
    """This process drives the experiment at *remote*, and no other does.

    Whoever makes it holds the lock of *directory*, or has just made that: an earlier driver there is dead, and its
    lease is taken over at once.

    Args:
        directory: where the experiment runs on this machine.
        remote: where it lives.
        term_s: without a sign of life for so many seconds others may take over.
        on_loss: called once, from any thread, with the reason, when another driver has done so.

    Raises:
        Conflict: another driver lives; the text says who it is.
        StoreFailed: the remote cannot be reached.
    """

    def __init__(
        self, directory: str, remote: Remote, term_s: float, on_loss: Callable[[str], None] = lambda _: None
    ) -> None:
        self.directory, self.remote = directory, remote
        self._note, self._ended = os.path.join(directory, FILE_NAME), False
        claim = claim_of_this_process(term_s)
        lease = _taken(remote, lambda: Lease.take(remote, claim, own=self._own(), say=log.warning))
        with contextlib.suppress(OSError), open(self._note, "w", encoding="utf-8") as file:
            json.dump({"token": claim.token, "host": claim.host}, file)
        self._tenure = Tenure(lease, on_loss)

    @property
    def loss(self) -> str:
        """Why this process may upload nothing more; empty while it may."""
        return self._tenure.loss

    def turn(self) -> AbstractContextManager[None]:
        """See :meth:`Tenure.turn <luthier.store.tenure.Tenure.turn>`."""
        return self._tenure.turn()

    def end(self, *, release: bool = True) -> None:
        """Let others go on: at once with *release*, which asks the remote, and when the term is over without."""
        if self._ended:
            return
        self._ended = True
        self._tenure.close(release=release)
        if self._tenure.released:
            with contextlib.suppress(OSError):
                os.unlink(self._note)

    def refuse_loss(self) -> None:
        """Raise TakenOver if another driver goes on with the experiment."""
        if self.loss:
            raise TakenOver(
                f"{self.loss}. This run has ended, and uploads nothing more; all that it recorded is in "
                f"{self.directory}. If that is what counts, copy that directory elsewhere, delete .origin.json in the "
                f"copy, and go on with that; else move it away before you restore {self.remote.url} here."
            )

    def _own(self) -> str:
        """Return the token of the driver that ran here before, on this very machine."""
        try:
            with open(self._note, encoding="utf-8") as file:
                note = json.load(file)
            return str(note["token"]) if note["host"] == socket.gethostname() else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""


def _taken(remote: Remote, take: Callable[[], Lease]) -> Lease:
    for left in reversed(range(_TRIES)):
        try:
            return take()
        except LuthierError:
            raise
        except Exception as error:  # each file system raises errors of its own
            if not left or isinstance(error, PermissionError | FileNotFoundError):
                msg = (
                    f"{remote.url} cannot be told that this process goes on with the experiment: "
                    f"{type(error).__name__}: {error}"
                )
                raise StoreFailed(msg) from error
            time.sleep(0.5)
    raise AssertionError
