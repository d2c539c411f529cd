"""Who drives an experiment that lives elsewhere: a file beside it, renewed while the driver lives.

A lease has a number, and the files ``.lease/<number>.json`` of an experiment are the leases that it ever had, as far as
they were not cleared away: the highest number counts.  To take an experiment over is to create the next number, which
only one of many can do where the file system creates a file only if it is not there (S3, Google, Azure).  A driver
writes to its own number alone, so that it can never undo that somebody else has taken over; it finds the higher number
when it renews its own.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import time
from typing import TYPE_CHECKING, Protocol

import msgspec

from luthier.core.errors import Conflict, TakenOver

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.store.remote import Remote

FOLDER = ".lease"
TERM_S = 60.0
LONGEST_S = 86_400.0  # nobody waits longer than a day, whatever a lease says
SKEW_S = 1800.0  # S3 and Google refuse requests whose clock is a quarter of an hour off: two are never further apart
# File systems that create a file only if it is not there.  Others look first and write then, which two may do at once.
_CREATING = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"})
_CHECKING = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"})  # refuse requests whose clock is far off
_NAME = re.compile(r"\.lease/([0-9]{12})\.json")  # whatever else lies there is nobody's lease
_LAST = 10**12 - 1
_LOOKS = 8  # how often a lease is read that is listed and not there
_SETTLING_S = (0.5, 1.5)  # with those, after so many seconds whoever wrote last has won


class Claim(msgspec.Struct, frozen=True):
    """What a lease says.

    Attributes:
        token: random; belongs to one run of one driver.
        host: machine on which it runs.
        pid: its process there.
        user: whose process that is.
        started: when it took the lease (its own clock, unix seconds).
        renewed: when it last renewed it (its own clock, unix seconds).
        renewals: how often it did.
        term_s: without a renewal for so many seconds, others may take over.
        released: whether it has ended, and let go.

    >>> print(Claim(token="a", host="anna", pid=12, user="bert").who)
    process 12 of bert on anna
    """

    token: str = ""
    host: str = ""
    pid: int = 0
    user: str = ""
    started: float = 0.0
    renewed: float = 0.0
    renewals: int = 0
    term_s: float = TERM_S
    released: bool = False

    @property
    def who(self) -> str:
        """The driver, for people."""
        return f"process {self.pid} of {self.user} on {self.host}" if self.pid else "an unknown process"

    def __str__(self) -> str:
        if not self.pid:
            return self.who
        try:
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.started))
        except (OverflowError, ValueError, OSError):  # no time that a calendar knows
            return self.who
        return f"{self.who}, since {since}"


class Clock(Protocol):
    """Time, and waiting for it; ``time`` itself is one."""

    def monotonic(self) -> float:
        """Return seconds since some moment."""

    def time(self) -> float:
        """Return unix seconds."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


def claim_of_this_process(term_s: float = TERM_S) -> Claim:
    """Return a new claim of this process's."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user without a name
        user = str(os.getuid()) if hasattr(os, "getuid") else "somebody"
    now = time.time()
    return Claim(os.urandom(12).hex(), socket.gethostname(), os.getpid(), user, now, now, term_s=term_s)


class Lease:
    """A lease that this process holds.

    Made by :meth:`take`.  Not for several threads at once.

    >>> from luthier.store.remote import Remote
    >>> remote = Remote.at("memory://leases/run")
    >>> first = Lease.take(remote, Claim("a", pid=1, term_s=0.01))
    >>> second = Lease.take(remote, Claim("b", pid=2))  # a hundredth of a second without a renewal
    >>> first.renew()
    Traceback (most recent call last):
    luthier.core.errors.TakenOver: memory://leases/run was taken over by process 2 of  on , since ...
    >>> second.release()
    """

    def __init__(self, remote: Remote, number: int, claim: Claim) -> None:
        self.remote, self.number, self.claim = remote, number, claim

    @classmethod
    def take(
        cls,
        remote: Remote,
        claim: Claim,
        *,
        own: str = "",
        say: Callable[[str], None] = lambda _: None,
        clock: Clock = time,
    ) -> Lease:
        """Take the lease of the experiment at *remote* as *claim* says.

        Where somebody holds it, watch until that driver gives a sign of life, and refuse then; or until its term has
        passed without one, by this machine's clock, and take over then.  A lease that is older than its term by more
        than clocks differ is taken over at once, where the file system sees to it that they do not differ more.

        Args:
            remote: the experiment's folder.
            claim: whose lease it is to be.
            own: token of an earlier driver that is known to be dead.
            say: gets a line before a wait.
            clock: what time it is.

        Raises:
            Conflict: somebody holds it and lives; the text says who.
            Exception: what the file system says.
        """
        seen: tuple[int, bytes] | None = None
        since = 0.0
        while True:
            number, text = _newest(remote, clock)
            held = _decoded(text)
            now = clock.monotonic()
            if seen is not None and (number, text) != seen and not held.released:
                raise _refused(remote, held)
            ancient = bool(remote.protocols & _CHECKING) and clock.time() - held.renewed > held.term_s + SKEW_S
            if number >= _LAST:
                raise Conflict(
                    f"{remote.url}/{_name(number)} has the last number there is: delete {remote.url}/{FOLDER}"
                )
            free = not number or held.released or ancient or bool(own and held.token == own)
            if free or (seen is not None and now - since >= held.term_s):
                if _create(remote, number + 1, claim, clock):
                    _clear(remote, number + 1)
                    return cls(remote, number + 1, claim)
                seen, since = (number, text), clock.monotonic()  # what is there now is somebody's who lives
                continue
            if seen is None:
                seen, since = (number, text), now
                say(
                    f"{remote.url} was last written by {held}: waiting up to {held.term_s:g} s for a sign of life "
                    "from there, and going on if there is none"
                )
            clock.sleep(min(1.0, held.term_s / 10))

    def renew(self, now: float | None = None) -> None:
        """Give a sign of life.

        Args:
            now: what time it is (unix seconds).

        Raises:
            TakenOver: somebody else holds the lease by now.
            Exception: what the file system says; nothing is known then.
        """
        self._stand()
        claim = msgspec.structs.replace(
            self.claim, renewals=self.claim.renewals + 1, renewed=time.time() if now is None else now
        )
        self.remote.write(_name(self.number), msgspec.json.encode(claim))
        self.claim = claim

    def release(self) -> None:
        """Let others go on at once.

        Raises:
            TakenOver: somebody else holds the lease by now.
            Exception: what the file system says.
        """
        self._stand()
        self.remote.write(_name(self.number), msgspec.json.encode(msgspec.structs.replace(self.claim, released=True)))

    def _stand(self) -> None:
        """Raise where the lease is another's."""
        url = self.remote.url
        newest = max(_numbers(self.remote), default=0)
        if newest > self.number:
            try:
                other = _decoded(self.remote.read(_name(newest)))
            except Exception:  # noqa: BLE001 (each file system raises errors of its own: it is another's anyway)
                other = Claim()
            raise TakenOver(f"{url} was taken over by {other}")
        try:
            held = _decoded(self.remote.read(_name(self.number)))
        except FileNotFoundError:
            raise TakenOver(f"the lease of this run, {url}/{_name(self.number)}, was deleted") from None
        if held.token and held.token != self.claim.token:
            raise TakenOver(f"{url} was taken over by {held}")


def _name(number: int) -> str:
    return f"{FOLDER}/{number:012d}.json"


def _numbers(remote: Remote) -> list[int]:
    return sorted(int(found[1]) for name in remote.sizes(FOLDER) if (found := _NAME.fullmatch(name)))


def _newest(remote: Remote, clock: Clock = time) -> tuple[int, bytes]:
    """Return number and content of the lease that counts; 0 and nothing where there is none.

    Raises:
        FileNotFoundError: it is listed, and stays unreadable.
    """
    numbers: list[int] = []
    for look in range(_LOOKS):
        numbers = _numbers(remote)
        if not numbers:
            return 0, b""
        with contextlib.suppress(FileNotFoundError):  # cleared away: there is a newer one
            return numbers[-1], remote.read(_name(numbers[-1]))
        clock.sleep(0.02 * 2**look)
    raise FileNotFoundError(
        f"{remote.url} lists {_name(numbers[-1])}, which is not there: delete {remote.url}/{FOLDER} if no driver runs"
    )


def _decoded(text: bytes) -> Claim:
    """Return what a lease says, as far as it can be; one that says nothing may be being written."""
    try:
        claim = msgspec.json.decode(text, type=Claim)
    except msgspec.DecodeError:
        return Claim(renewed=time.time())
    term = min(claim.term_s, LONGEST_S) if claim.term_s > 0 else TERM_S
    return msgspec.structs.replace(claim, term_s=term, host=_printable(claim.host), user=_printable(claim.user))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:200])


def _create(remote: Remote, number: int, claim: Claim, clock: Clock) -> bool:
    """Create the lease of that *number*; return whether it is *claim*'s and not somebody else's."""
    name, text = _name(number), msgspec.json.encode(claim)
    for _ in range(2):  # the second time to see whether the file system heeds that the file is there
        if not remote.create(name, text):
            break
    else:
        clock.sleep(random.uniform(*_SETTLING_S))  # noqa: S311 (no secret)
        return _decoded(remote.read(name)).token == claim.token
    certain = bool(remote.protocols & _CREATING)
    if not certain:
        clock.sleep(random.uniform(*_SETTLING_S))  # noqa: S311 (no secret)
    return _decoded(remote.read(name)).token == claim.token


def _clear(remote: Remote, number: int) -> None:
    """Delete the leases before that *number*."""
    with contextlib.suppress(Exception):  # whatever stands in the way: they do no harm
        remote.delete([_name(old) for old in _numbers(remote) if old < number])


def _refused(remote: Remote, held: Claim) -> Conflict:
    return Conflict(
        f"{remote.url} is being written by {held}: wait for it to end, stop it there, or give the experiment another "
        f"name. Should it die, another machine may go on {held.term_s:g} s after its last sign of life. To take over "
        f"from a driver that cannot be reached, delete {remote.url}/{FOLDER}: it ends its run when it notices."
    )
