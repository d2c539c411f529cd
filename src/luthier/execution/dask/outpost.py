"""What runs on a Dask worker: the executor of this machine, on behalf of a driver elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import queue
import shutil
import tempfile
import threading
import weakref
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from luthier.core.errors import LuthierError
from luthier.core.events import Exited, Halted, Launched, Reported
from luthier.core.terms import Then, TrialId, WorkerId
from luthier.execution.process import ProcessExecutor
from luthier.execution.satchel import Satchel
from luthier.execution.surroundings import Surroundings
from luthier.worker.frames import HEAD, VERDICTS, decode_sealed_assignment, encode_exit, frame_of
from luthier.worker.parcel import FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luthier.worker.assignment import Assignment

Said = tuple[bytes, bytes] | str  # an event and its files; or why no trial can be started at all

LEASE_S = 60.0  # without a word from the driver, after which it counts as gone


class Terms(msgspec.Struct, frozen=True):
    """What an outpost is told.

    Attributes:
        resources: what the worker is to offer.
        environ: added to the environment of trials.
        surroundings: the driver's.
        options: more arguments of :class:`~luthier.execution.process.ProcessExecutor`.
        marker: a file of the experiment's directory: who sees it sees the directory.
        lease: seconds without a word from the driver, after which it counts as gone.
    """

    resources: dict[str, float]
    environ: dict[str, str]
    surroundings: Surroundings
    options: dict[str, Any]
    marker: str
    lease: float = LEASE_S


class Outpost:
    """An actor of Dask that starts, hears and ends the trials' processes on its worker.

    Its trials end with it: when the driver says so, when Dask drops the actor because the driver's connection is gone,
    when nothing is heard of the driver for too long, and with the worker.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._office: Office | None = None

    async def open(self, trainable: bytes, parcels: dict[str, bytes]) -> bool:
        """Begin; return whether files must be sent here."""
        loop, something = asyncio.get_running_loop(), asyncio.Event()
        self._something = something
        self._office = office = Office(self._terms, trainable, parcels, lambda: _soon(loop, something.set))
        weakref.finalize(self, office.close, 0.0)
        office.thread.start()
        return bool(office.satchel.folder)

    async def hear(self, seconds: float) -> list[Said]:
        """Return what trials said, after waiting for that up to so many *seconds*.

        Raises:
            LuthierError: the outpost is closed.
        """
        office = self._office
        if office is None or not office.thread.is_alive():
            raise LuthierError("the outpost is closed")
        office.heard_of = monotonic()
        self._something.clear()
        if not office.said:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._something.wait(), seconds)
        said: list[Said] = []
        while office.said:
            said.append(office.said.popleft())
        return said

    async def tell(self, orders: list[tuple[Any, ...]]) -> None:
        """Have *orders* carried out: names of methods of :class:`Office`, and their arguments."""
        if self._office is not None:
            for name, *args in orders:
                self._office.order(name, *args)

    async def give_up(self, trial: str, attempt: int, reason: str) -> bool:
        """See :meth:`Executor.give_up <luthier.execution.base.Executor.give_up>`."""
        loop, office = asyncio.get_running_loop(), self._office
        answer: asyncio.Future[bool] = loop.create_future()
        if office is None:
            return True
        office.order("give_up", trial, attempt, reason, lambda given: _soon(loop, answer.set_result, given))
        return await answer

    async def close(self, grace: float) -> None:
        """End what still runs, as :meth:`ProcessExecutor.close` does, and wait for that."""
        if self._office is not None:
            self._office.close(grace)
            await asyncio.to_thread(self._office.thread.join)


class Office:
    """The thread that has the executor, which wants all calls to come from one.

    Args:
        terms: what it is told.
        trainable: pickled.
        parcels: contents of files that come beside it, by name.
        tell: is called when there is something new in ``said``.

    Attributes:
        said: what was not fetched yet.
        heard_of: when the driver was last heard of (monotonic seconds).
        satchel: trials' directories, where this node does not see the experiment's.
    """

    def __init__(self, terms: Terms, trainable: bytes, parcels: Mapping[str, bytes], tell: Callable[[], None]) -> None:
        self.said: deque[Said] = deque()
        self.heard_of = monotonic()
        self.satchel = Satchel(terms.marker)
        self.thread = threading.Thread(target=self._run, name="luthier-outpost", daemon=True)
        self._terms, self._trainable, self._parcels, self._tell = terms, trainable, parcels, tell
        self._orders: queue.SimpleQueue[tuple[str, tuple[Any, ...]]] = queue.SimpleQueue()
        self._executor: ProcessExecutor | None = None
        self._folders: dict[TrialId, str] = {}
        self._grace: float | None = None

    def order(self, name: str, *args: Any) -> None:
        """Have a method called in the thread."""
        self._orders.put((name, args))
        if self._executor is not None:
            self._executor.wake()

    def close(self, grace: float) -> None:
        """Let the thread end."""
        self._grace = grace
        if self._executor is not None:
            self._executor.wake()

    # -- in the thread -------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        folder = tempfile.mkdtemp(prefix="luthier_parcels_") if self._parcels else ""
        try:
            for name, content in self._parcels.items():
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(content)
            self._parcels = {}
            self._serve({**self._terms.environ, FOLDER: folder} if folder else self._terms.environ)
        except LuthierError as error:
            self._say(str(error))
        except BaseException as error:  # noqa: BLE001 (whatever it is, the driver waits)
            self._say(f"the outpost on a Dask worker failed: {type(error).__name__}: {error}")
        finally:
            if folder:
                shutil.rmtree(folder, ignore_errors=True)
            self.satchel.close()
            self._tell()  # nobody is to wait for more

    def _serve(self, environ: Mapping[str, str]) -> None:
        terms = self._terms
        executor = ProcessExecutor(
            Sealed(self._trainable),
            experiment_dir=self.satchel.folder,
            resources=terms.resources,
            env=environ,
            behalf=msgspec.structs.replace(terms.surroundings.arrived(), without=set_by_dask()),
            **terms.options,
        )
        self._executor = executor
        try:
            while self._grace is None and monotonic() < self.heard_of + terms.lease:
                while not self._orders.empty():
                    name, args = self._orders.get()
                    getattr(self, name)(executor, *args)
                for event in executor.poll(terms.lease):
                    if isinstance(event, Reported | Exited):
                        self._pass_on(event)
        finally:
            executor.close(self._grace or 0.0)

    def launch(self, executor: ProcessExecutor, payload: bytes, luggage: bytes) -> None:
        """Start an attempt."""
        assignment = self.satchel.unpack(decode_sealed_assignment(payload), luggage)
        self._folders[assignment.trial] = assignment.trial_dir
        executor.carry_out(_launched(assignment), assignment)

    def halt(self, executor: ProcessExecutor, trial: str, attempt: int, then: str) -> None:
        """Let an attempt go."""
        executor.carry_out(Halted(TrialId(trial), attempt, Then(then), ""))

    def answer(self, executor: ProcessExecutor, trial: str, attempt: int, verdict: bytes) -> None:
        """Give the verdict on a report."""
        executor.answer(TrialId(trial), attempt, VERDICTS[verdict])

    def give_up(
        self, executor: ProcessExecutor, trial: str, attempt: int, reason: str, reply: Callable[[bool], None]
    ) -> None:
        """End an attempt whose time is up."""
        reply(executor.give_up(TrialId(trial), attempt, reason))

    def _pass_on(self, event: Reported | Exited) -> None:
        folder = self._folders.get(event.trial, "")
        if isinstance(event, Exited):
            self._folders.pop(event.trial, None)
            frame = encode_exit(event)
        else:
            frame = frame_of(event)
        try:
            luggage = self.satchel.pack(event, folder)
        except OSError as error:
            raise LuthierError(f"what a trial has saved could not be sent: {error}") from error
        self._say((bytes(frame[HEAD:]), luggage))

    def _say(self, said: Said) -> None:
        self.said.append(said)
        self._tell()


class Sealed:
    """A trainable that is pickled already: who unpickles this has it.

    >>> pickle.loads(pickle.dumps(Sealed(pickle.dumps(abs))))
    <built-in function abs>
    """

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __call__(self, config: object) -> NoReturn:
        """Refuse: it is run elsewhere."""
        raise NotImplementedError

    def __reduce__(self) -> tuple[Any, ...]:
        return pickle.loads, (self._content,)


def set_by_dask() -> frozenset[str]:
    """Return the variables by which Dask holds a worker's libraries to one thread: trials have threads of their own."""
    import dask

    values = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    return frozenset(name for name, value in values.items() if os.environ.get(name) == str(value))


def _launched(assignment: Assignment) -> Launched:
    a = assignment
    return Launched(a.trial, a.attempt, WorkerId("local"), a.config, a.resources, a.restore)


def _soon(loop: asyncio.AbstractEventLoop, act: Callable[..., object], *args: Any) -> None:
    try:
        loop.call_soon_threadsafe(act, *args)
    except RuntimeError:  # the loop is closed: the worker ends
        return
