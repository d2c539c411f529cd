"""The connection to a Dask cluster: a thread with a loop and a client in it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from luthier.core.errors import LuthierError
from luthier.execution.devices import machine_resources
from luthier.execution.keywords import check_keywords

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

T = TypeVar("T")

_LOOK = 1.0  # seconds between two looks at which workers there are
_ANSWER = 60.0  # seconds for the scheduler to answer
_QUIET = {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}}  # any port will do
_NAMES = {"CPU": "cpu", "GPU": "gpu"}


class Cluster:
    """A client of a Dask cluster, in a thread of its own.

    Without an ``address`` it is that of Dask's current client in this process, then what Dask's configuration names
    (``$DASK_SCHEDULER_ADDRESS``), else a cluster of its own: one worker in this process that offers all of the machine.
    (Trials are processes of their own there, too; and a script needs no ``if __name__ == "__main__"``.)

    Args:
        options: arguments of ``distributed.Client``; where there is no address, those of ``distributed.LocalCluster``.

    Attributes:
        client: the client, for coroutines that :meth:`begin` runs.

    Raises:
        LuthierError: Dask is not installed, or cannot be connected to.
        BadArgument: nobody there takes such an option.
    """

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self.client: Any = None
        self._distributed = dask_library()
        self._check(dict(options or {}))
        self._options = self._arguments(dict(options or {}))
        self._nodes: dict[str, dict[str, float]] = {}
        self._tasks: set[asyncio.Future[None]] = set()
        self._context = contextvars.copy_context()
        self._problem: BaseException | None = None
        self._ready, self._over = threading.Event(), asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="luthier-dask", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._problem is not None:
            self._thread.join()
            where = self._options.get("address", "a local one")
            raise LuthierError(f"no connection to a Dask cluster ({where}): {self._problem}") from self._problem

    def _check(self, given: Mapping[str, Any]) -> None:
        d = self._distributed
        workers = [
            made.__init__
            for kind in (d.Nanny, d.Worker)
            for made in kind.__mro__
            if made.__init__ is not object.__init__
        ]
        clusters = [made.__init__ for made in d.LocalCluster.__mro__ if made.__init__ is not object.__init__]
        check_keywords(given, d.Client, *clusters, *workers)

    def _arguments(self, given: dict[str, Any]) -> dict[str, Any]:
        import dask

        if not given.get("address") and not dask.config.get("scheduler-address", None):
            try:
                current = self._distributed.Client.current()
            except ValueError:
                has = machine_resources()
                whole = {"n_workers": 1, "threads_per_worker": max(1, int(has["cpu"])), "processes": False}
                gpus = {"resources": {"GPU": has["gpu"]}} if has.get("gpu") else {}
                return {**_QUIET, **({} if "n_workers" in given else {**whole, **gpus}), **given}
            given = {"address": current.scheduler.address, "security": current.security, **given}
        return {"name": "luthier", **given}

    # -- the thread ------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001 (whatever it is, somebody waits for it)
            self._problem = error
        finally:
            self._ready.set()
            with contextlib.suppress(RuntimeError):
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _serve(self) -> None:
        async with self._distributed.Client(asynchronous=True, set_as_default=False, **self._options) as client:
            with client.as_current():
                self.client, self._context = client, contextvars.copy_context()
                self._nodes = await self._look()
                self._ready.set()
                watch = asyncio.ensure_future(self._watch())
                await self._over.wait()
                for task in (watch, *self._tasks):
                    task.cancel()
                await asyncio.gather(watch, *self._tasks, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            try:
                self._nodes = await asyncio.wait_for(self._look(), _ANSWER)
            except Exception as error:  # noqa: BLE001 (whatever it is, there is no cluster any more)
                self._problem = error
                return

    async def _look(self) -> dict[str, dict[str, float]]:
        workers = (await self.client.scheduler.identity(n_workers=-1))["workers"]
        return {address: offered(worker) for address, worker in workers.items()}

    # -- for the driver's thread -----------------------------------------------------------------------------------
    def nodes(self) -> dict[str, dict[str, float]]:
        """Return what each worker has, by its address, as of a second ago.

        Raises:
            LuthierError: the cluster does not answer.
        """
        if self._problem is not None:
            raise LuthierError(f"the Dask cluster does not answer any more: {self._problem}") from self._problem
        return self._nodes

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine beside all others, until it is over or the connection is closed."""
        self._soon(lambda: self._keep(asyncio.ensure_future(work())))

    def ask(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Return what a coroutine returns.

        Raises:
            TimeoutError: that took longer than so many *seconds*.
        """
        return self.start(work).result(seconds)

    def start(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine beside all others; return the future of what it returns."""
        answer: concurrent.futures.Future[T] = concurrent.futures.Future()

        async def run() -> None:
            try:
                answer.set_result(await work)
            except BaseException as error:  # noqa: BLE001 (goes to who asked)
                answer.set_exception(error)

        self.begin(run)
        return answer

    def notify(self, event: asyncio.Event) -> None:
        """Set *event*, for which a coroutine waits."""
        self._soon(event.set)

    def close(self) -> None:
        """Disconnect; a cluster that was made here ends."""
        if self._thread.is_alive():
            self._soon(self._over.set)
            self._thread.join()

    def _soon(self, act: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(act, context=self._context)

    def _keep(self, task: asyncio.Future[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def all_nodes(options: Mapping[str, Any] | None) -> dict[str, dict[str, float]]:
    """Return what each worker of a cluster has, by its address; *options* as for :class:`Cluster`."""
    cluster = Cluster(options)
    try:
        return cluster.nodes()
    finally:
        cluster.close()


def dask_library() -> Any:
    """Return the module ``distributed``.

    Raises:
        LuthierError: it is not installed.
    """
    try:
        import distributed
    except ImportError as error:
        raise LuthierError('executor="dask" needs Dask: pip install "luthier[dask]"') from error
    return distributed


def offered(worker: Mapping[str, Any]) -> dict[str, float]:
    """Return what a worker offers to trials, under the names that requests use.

    >>> offered({"nthreads": 2, "memory_limit": 1000, "resources": {"GPU": 1, "licence": 3}})
    {'cpu': 2.0, 'memory': 1000.0, 'gpu': 1.0, 'licence': 3.0}
    """
    has = {"cpu": float(worker["nthreads"]), "memory": float(worker.get("memory_limit") or 0)}
    has |= {_NAMES.get(name, name): float(amount) for name, amount in worker["resources"].items()}
    return {name: amount for name, amount in has.items() if amount}
