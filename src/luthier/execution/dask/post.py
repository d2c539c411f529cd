"""The driver's side of one Dask worker."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.execution.dask.outpost import Outpost

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.execution.dask.cluster import Cluster
    from luthier.execution.dask.outpost import Terms

_HEAR = 10.0  # seconds that an outpost may wait for something to say


class Opened(msgspec.Struct, frozen=True):
    """An outpost is there; *apart*: it does not see the experiment's directory, so that files travel."""

    apart: bool


class Post:
    """One worker, and its outpost.

    Orders go one batch after the other, so that they keep their order; the next ones gather meanwhile.

    Args:
        cluster: the connection.
        address: the worker's.
        terms: for the outpost.
        load: the pickled trainable, and what comes beside it.
        heard: is called, in another thread, with what the outpost says, and with the error when it is lost.

    Attributes:
        opened: whether it is there.
        apart: whether files travel.
        lost: whether it is gone, and only its name is still here.
    """

    def __init__(
        self,
        cluster: Cluster,
        address: str,
        terms: Terms,
        load: tuple[bytes, dict[str, bytes]],
        heard: Callable[[Post, Any], None],
    ) -> None:
        self.address, self.resources = address, terms.resources
        self.opened = self.apart = self.lost = False
        self._cluster, self._terms, self._load, self._heard = cluster, terms, load, heard
        self._orders: deque[tuple[Any, ...]] = deque()
        self._ordered, self._over = asyncio.Event(), asyncio.Event()
        self._actor: Any = None
        self._sending = asyncio.Lock()
        cluster.begin(self._serve)

    def tell(self, name: str, *args: Any) -> None:
        """Have the outpost do what its method *name* does; does not wait."""
        self._orders.append((name, *args))
        self._cluster.notify(self._ordered)

    async def give_up(self, trial: str, attempt: int, reason: str) -> bool:
        """Return whether an attempt could be ended."""
        await self._flush()  # its beginning may be among the orders
        return bool(await self._actor.give_up(trial, attempt, reason))

    async def close(self, grace: float) -> None:
        """End what runs there."""
        if self._actor is not None and not self.lost:
            with contextlib.suppress(Exception):  # it is gone
                await self._actor.close(grace)
        self._over.set()

    def leave(self) -> None:
        """Let the outpost be dropped."""
        self.lost = True
        self._cluster.notify(self._over)

    # -- in the connection's thread ------------------------------------------------------------------------------------
    async def _serve(self) -> None:
        future = self._cluster.client.submit(
            Outpost, self._terms, actor=True, workers=[self.address], allow_other_workers=False, pure=False
        )
        both = [asyncio.ensure_future(work) for work in (self._converse(future), self._over.wait())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            self._actor = None
            future.release()

    async def _converse(self, future: Any) -> None:
        try:
            self._actor = actor = await future
            self._heard(self, Opened(await actor.open(*self._load)))
            async with asyncio.TaskGroup() as group:
                group.create_task(self._send())
                group.create_task(self._hear(actor))
        except Exception as error:  # noqa: BLE001 (whatever it is, the worker is of no use)
            self._heard(self, error)

    async def _hear(self, actor: Any) -> None:
        while True:
            for said in await actor.hear(_HEAR):
                self._heard(self, said)

    async def _send(self) -> None:
        while True:
            await self._ordered.wait()
            self._ordered.clear()
            await self._flush()

    async def _flush(self) -> None:
        async with self._sending:
            while self._orders:
                await self._actor.tell([self._orders.popleft() for _ in range(len(self._orders))])
