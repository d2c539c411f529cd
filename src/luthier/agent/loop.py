"""An agent: takes runs of a sweep from the server, and sees each of them to its end."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.agent.courier import Courier
from luthier.agent.ended import Ended
from luthier.agent.gpus import Gpus
from luthier.agent.job import Job, Order
from luthier.agent.lease import Lease, clock
from luthier.agent.place import Place
from luthier.agent.signals import Signals
from luthier.agent.uploads import Uploads
from luthier.core.errors import BadArgument, ServerError
from luthier.execution.devices import machine_resources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.agent.telling import Telling
    from luthier.sweeps.client import Client

GRACE_S = 10.0
_LOOK_S = 0.2  # for what wakes nobody: signals
_LONGEST = 60  # bytes of the name of a directory for sockets' own
_LAST_WORDS_S = 3.0  # for a server that is away, when the agent is to end


@dataclass(frozen=True)
class Settings:
    """How an agent works.

    Attributes:
        count: how many runs it starts at most; None for no limit.
        concurrency: how many runs it has at once.
        name: what people call it; the machine's name where empty.
        gpus: ids of the GPUs that it may use.
        workdir: where programs run.
        lease_s: how long the server is to keep its runs when it is not heard of; the server's own time where None.
        grace_s: seconds that a run has when it is asked to end.
        echo: whether what runs print is shown.
        call: a file with a pickled function to call, instead of the sweep's command.
    """

    count: int | None = None
    concurrency: int = 1
    name: str = ""
    gpus: Sequence[str] = ()
    workdir: Path = Path()
    lease_s: float | None = None
    grace_s: float = GRACE_S
    echo: bool = False
    call: Path | None = None


class Loop:
    """One agent, from its registration until it leaves.

    Args:
        client: the way to the server.
        sweep: the id of a sweep.
        settings: how it works.
        telling: shows people how it gets on.
    """

    def __init__(self, client: Client, sweep: str, settings: Settings, telling: Telling) -> None:
        self._client, self._sweep, self._settings, self._telling = client, sweep, settings, telling
        self._wake = threading.Event()
        self._orders: deque[Mapping[str, Any]] = deque()
        self._jobs: dict[tuple[str, int], Job] = {}
        self._seen: set[tuple[str, int]] = set()
        self._counts: Counter[str] = Counter()
        self._counted: set[tuple[str, int]] = set()  # those in _jobs that have ended
        self._fenced = False

    def run(self) -> Ended:
        """Work until there is nothing more to do.

        Raises:
            ServerError: the server cannot be reached at all, or refuses the agent.
        """
        folder = self._folder()
        sent = clock()
        try:
            registration = self._client.register_agent(self._sweep, self._about())
        except ServerError:
            _tidy(folder)
            raise
        try:
            sweep, _ = dict(registration["sweep"]), str(registration["agent"])
            lease = Lease(float(registration.get("lease_s") or 300.0), sent)
        except (KeyError, TypeError, ValueError) as error:
            _tidy(folder)
            raise ServerError(f"{self._client.server} answers what makes no sense: {error!r}") from error
        self._telling.registered(sweep, self._client.server)
        with tempfile.TemporaryDirectory(prefix="luthier-", dir=_short()) as sockets, Signals() as signals:
            uploads = Uploads(self._client)
            courier = Courier(self._client, registration, lease, self._deliver, self._telling.note)
            place = Place(
                self._client, sweep, self._settings.workdir, folder, Path(sockets), Gpus(self._settings.gpus), uploads,
                self._settings.call, self._wake.set, lambda: bool(signals.number),
                self._telling.echo if self._settings.echo else None,
            )  # fmt: skip
            courier.start()
            try:
                ended = self._work(place, courier, lease, signals)
            finally:
                courier.close()
                uploads.close()
                self._kill_all()
        if not courier.exit:
            with contextlib.suppress(ServerError):
                self._client.leave(str(registration["agent"]), patience_s=0.0 if courier.away else _LAST_WORDS_S)
        _tidy(folder)
        self._telling.ended(ended)
        if not ended.code and not courier.away:
            with contextlib.suppress(ServerError):  # it is only for people
                known = self._client.call("GET", f"/sweeps/{self._sweep}", patience_s=0.0, timeout_s=_LAST_WORDS_S)
                self._telling.best(known, self._client.server)
        return ended

    def _folder(self) -> Path:
        """Return the directory for those of the runs; it is made.

        Raises:
            BadArgument: it cannot be.
        """
        folder = self._settings.workdir / "luthier_runs" / self._sweep
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            wanted = "a directory that this user may write to"
            raise BadArgument("workdir", os.fspath(self._settings.workdir), wanted, str(error)) from error
        return folder

    def _about(self) -> dict[str, Any]:
        settings, host = self._settings, platform.node() or "localhost"
        resources = {"slot": float(settings.concurrency), **machine_resources()}
        resources.pop("gpu", None)
        if settings.gpus:
            resources["gpu"] = float(len(settings.gpus))
        return {
            "name": settings.name or host,
            "host": host,
            "pid": os.getpid(),
            "resources": resources,
            "count": settings.count,
            "lease_s": settings.lease_s,
        }

    # -- from other threads --------------------------------------------------------------------------------------------
    def _deliver(self, orders: Sequence[Mapping[str, Any]]) -> None:
        self._orders.extend(orders)
        self._wake.set()

    # -- the loop ------------------------------------------------------------------------------------------------------
    def _work(self, place: Place, courier: Courier, lease: Lease, signals: Signals) -> Ended:
        leaving_since: float | None = None
        while True:
            self._wake.wait(self._pause(lease))
            self._wake.clear()
            leaving = bool(signals.reason or courier.refused)
            if leaving and leaving_since is None:
                leaving_since = time.monotonic()
                courier.leave()
                place.uploads.hurry()
                if signals.reason and any(job.alive for job in self._jobs.values()):
                    self._telling.leaving(signals.reason)
                self._halt_all(signals.reason or courier.exit, self._settings.grace_s)
            if signals.insisted:
                return self._over(signals, courier)
            while self._orders:
                self._carry_out(self._orders.popleft(), place, courier, leaving=leaving)
            courier.settle()
            self._mind_lease(lease)
            self._bury(courier)
            if leaving or courier.exit:
                idle = not any(job.alive for job in self._jobs.values())
                late = leaving_since is not None and time.monotonic() - leaving_since > _LAST_WORDS_S
                if idle and (courier.told or courier.refused or (courier.away and late)):
                    return self._over(signals, courier)

    def _pause(self, lease: Lease) -> float:
        if not any(job.alive for job in self._jobs.values()):
            return _LOOK_S
        return min(_LOOK_S, max(0.01, lease.begins - clock()))

    def _carry_out(self, order: Mapping[str, Any], place: Place, courier: Courier, *, leaving: bool) -> None:
        key = (str(order.get("run")), int(order.get("attempt") or 0))
        match order.get("is"):
            case "run" if key not in self._seen and not leaving and not courier.exit:
                self._fenced = False
                self._seen.add(key)
                known = {name: order[name] for name in Order.__struct_fields__ if order.get(name) is not None}
                job = Job(msgspec.convert(known, Order), place, courier.ring)
                self._jobs[key] = job
                courier.add(job.outbox)
                self._telling.started(job)
                job.start()
            case "halt" if key in self._jobs and self._jobs[key].alive:
                job = self._jobs[key]
                job.halt(str(order.get("reason") or "the server ends it"), "halted", self._settings.grace_s)

    def _mind_lease(self, lease: Lease) -> None:
        """End all runs where the server has not been heard of for so long that it will give them to others."""
        now = clock()
        if not lease.expiring(now):
            return
        running = [job for job in self._jobs.values() if job.alive]
        if running and not self._fenced:
            self._fenced = True
            self._telling.note(
                f"the server was not heard of for {lease.lease_s:g} s, so that its runs go to others: they end here"
            )
        for job in running:
            job.halt("the server was out of reach for too long", "left", min(self._settings.grace_s, lease.grace(now)))

    def _bury(self, courier: Courier) -> None:
        """Count those that have ended, and clear away those that the server knows of."""
        for key, job in list(self._jobs.items()):
            if job.outcome and key not in self._counted:
                self._counted.add(key)
                self._counts[job.outcome] += 1
                self._telling.finished(job)
            if job.outcome and job.outbox.told and key not in courier.outboxes:
                del self._jobs[key]
                self._counted.discard(key)
                job.clean()

    def _halt_all(self, reason: str, grace: float) -> None:
        for job in self._jobs.values():
            if job.alive:
                job.halt(reason, "left", grace)

    def _kill_all(self) -> None:
        """Leave nothing behind, whatever has happened."""
        self._halt_all("the agent ends", 0.0)
        end = time.monotonic() + GRACE_S
        while any(job.alive for job in self._jobs.values()) and time.monotonic() < end:
            time.sleep(0.01)
        for job in self._jobs.values():
            if job.outbox.told:
                shutil.rmtree(job.folder / "restored", ignore_errors=True)

    def _over(self, signals: Signals, courier: Courier) -> Ended:
        rest = (job.outcome or "left" for key, job in self._jobs.items() if key not in self._counted)
        counts = dict(self._counts + Counter(rest))
        if signals.reason:
            return Ended(signals.reason, 128 + signals.number, counts)
        return Ended(courier.exit, int(courier.refused), counts)


def _tidy(folder: Path) -> None:
    """Take away the directory for runs, and the one that it is in, where nothing is in them."""
    for empty in (folder, folder.parent):
        with contextlib.suppress(OSError):
            empty.rmdir()


def _short() -> str | None:
    """Return a directory for temporary files with a name that leaves room for those of sockets (about 100 bytes)."""
    return "/tmp" if len(os.fsencode(tempfile.gettempdir())) > _LONGEST else None  # noqa: S108 (the folder is private)
