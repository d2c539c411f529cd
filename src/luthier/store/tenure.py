"""Holding a lease for as long as a driver lives, in a thread of its own; and uploading only while it is held."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING

from luthier.core.errors import TakenOver
from luthier.store.lease import LONGEST_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from luthier.store.lease import Lease

log = logging.getLogger("luthier")

RENEWALS = 6  # in each term
WAITS_S = (0.1, 0.4)  # between the attempts to give it back
TRUSTED = 0.75  # share of the term after its last renewal for which the holder believes in its lease unasked


class Tenure:
    """Renews *lease* several times in each term, until it is closed or somebody else holds it.

    What is uploaded goes through :meth:`turn`.  A holder that could not renew for three quarters of the term (an
    outage, or the machine slept) has to renew first: who was away for long finds out before it uploads anything that
    it was taken over from.

    Args:
        lease: taken by this process.
        on_loss: called once, from any thread, with the reason, when somebody else holds it.

    Attributes:
        loss: why the lease is lost; empty while it is not known to be.
        released: whether others have been told that it has ended.

    >>> from luthier.store.lease import Lease, claim_of_this_process
    >>> from luthier.store.remote import Remote
    >>> remote = Remote.at("memory://tenures/run")
    >>> tenure = Tenure(Lease.take(remote, claim_of_this_process()))
    >>> with tenure.turn():
    ...     remote.write("a.txt", b"hello")
    >>> tenure.close()
    """

    def __init__(self, lease: Lease, on_loss: Callable[[str], None] = lambda _: None) -> None:
        self.loss, self.released = "", False
        self._lease, self._on_loss = lease, on_loss
        self._term = min(lease.claim.term_s, LONGEST_S)  # others wait no longer
        self._renewed = _now()
        self._renewing = threading.RLock()
        # Where the file system is not made for several threads, a renewal waits for the upload that is under way.
        parallel = bool(getattr(lease.remote.filesystem, "async_impl", False))
        self._alone = contextlib.nullcontext() if parallel else self._renewing
        self._told = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="luthier-lease", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Do what is within while the lease is held.

        Raises:
            TakenOver: it is not.
            Exception: what the file system says, where nobody knows.
        """
        with self._alone:
            if not self.loss and self._age() > TRUSTED * self._term:
                self._renew()
            if self.loss or self._closed.is_set():
                raise TakenOver(self.loss or "the run has ended")
            yield

    def close(self, *, release: bool = True) -> None:
        """End the thread, and let others go on at once.

        Args:
            release: whether to say so; if not, others wait for the end of the term.
        """
        self._closed.set()
        if not release:
            return
        with self._renewing:  # no renewal follows
            if not self.loss:
                self._release()

    def _release(self) -> None:
        """Let others go on at once; try a few times where the file system fails."""
        for wait_s in (*WAITS_S, None):
            try:
                self._lease.release()
            except TakenOver as error:
                return self._lose(str(error))
            except Exception as error:  # noqa: BLE001 (each file system raises errors of its own)
                if wait_s is not None:
                    time.sleep(wait_s)
                    continue
                log.warning(
                    "the lease of %s cannot be given back (%s: %s): another machine that goes on with the experiment "
                    "waits %g s first",
                    self._lease.remote.url, type(error).__name__, error, self._term,
                )  # fmt: skip
            else:
                self.released = True
                return None
        return None

    # -- in the thread -------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        while not self._closed.wait(self._term / RENEWALS):
            if self.loss:
                return
            try:
                self._renew()
            except TakenOver:
                return
            except Exception as error:  # noqa: BLE001 (each file system raises errors of its own)
                self._late(error)

    def _renew(self) -> None:
        with self._renewing:
            if self.loss or self._closed.is_set():
                return
            begun = _now()
            try:
                self._lease.renew()
            except TakenOver as error:
                self._lose(str(error))
                raise
            self._renewed = begun
            if self._told:
                self._told = False
                log.warning("the lease of %s is renewed again", self._lease.remote.url)

    def _late(self, error: Exception) -> None:
        if not self._told and self._age() > self._term:
            self._told = True
            log.warning(
                "the lease of %s cannot be renewed (%s: %s). The experiment goes on; uploads wait until it can be. "
                "Should another machine take the experiment over meanwhile, this run ends then.",
                self._lease.remote.url, type(error).__name__, error,
            )  # fmt: skip

    def _lose(self, reason: str) -> None:
        self.loss = reason
        self._on_loss(reason)

    def _age(self) -> float:
        """Return the seconds since the last renewal, those that the machine slept included."""
        return max(now - then for now, then in zip(_now(), self._renewed, strict=True))


def _now() -> tuple[float, float]:
    return time.monotonic(), time.time()
