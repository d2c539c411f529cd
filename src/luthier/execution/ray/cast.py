"""The actors that an executor has: their births, their messages, their ends."""

from __future__ import annotations

import contextlib
import math
import os
import queue
import sys
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from luthier.execution.environment import threads_of
from luthier.execution.ray.cluster import options_of
from luthier.execution.ray.demand import Demand
from luthier.execution.ray.hand import Hand
from luthier.execution.ray.stage import Stage, Surroundings
from luthier.execution.ray.switchboard import switchboard
from luthier.worker.frames import frame_of
from luthier.worker.parcel import carried
from luthier.worker.picklable import pickled
from luthier.worker.preamble import Preamble
from luthier.worker.resources import bundles_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from luthier.execution.ray.hand import Shape
    from luthier.execution.ray.placement import Placement

_LAST = 2.0  # seconds between asking an actor and killing it
_CALLS = 4  # that an actor answers at a time: what its trial says, where it stands, that it is to let go


class Cast:
    """Actors, and the one queue that all they say comes to.

    Args:
        ray: the module.
        trainable: what they run; what is large in it travels through the object store, once.
        environ: added to their environment.
        reuse: whether they take further attempts.
        gpus: whether the cluster has any.
        marker: a file of the experiment's directory, by which nodes tell whether they see it.

    Attributes:
        hands: all actors that may still be there.
        demand: what waits for room.

    Raises:
        BadArgument: the trainable cannot be pickled.
    """

    def __init__(
        self, ray: Any, trainable: Any, environ: Mapping[str, str], *, reuse: bool, gpus: bool, marker: str
    ) -> None:
        self._ray = ray
        self.hands: set[Hand] = set()
        self.demand = Demand(ray, bundles_of(trainable, None))
        stored: dict[str, Any] = {}

        def store(objects: dict[str, Any]) -> str:
            name = f"ray:{len(stored)}"
            stored[name] = ray.put(objects)
            return name

        with carried(store):
            self._trainable = ray.put(pickled(trainable))
        file = getattr(sys.modules["__main__"], "__file__", None)
        preamble = Preamble(list(sys.argv), os.path.abspath(file) if file else "", b"", reuse)
        path = [os.path.abspath(folder) for folder in sys.path if isinstance(folder, str)]
        self._surroundings = Surroundings(
            bytes(frame_of(preamble)[4:]), path, os.getcwd(), dict(environ), list(stored), reuse, gpus, marker
        )
        self._parcels = list(stored.values())
        self._heard: queue.SimpleQueue[tuple[Hand, str, Any] | None] = queue.SimpleQueue()
        self._numbers: dict[int, Hand] = {}
        self._count = 0
        self._switchboard = switchboard(ray.util.get_node_ip_address(), self._hear_by_wire)
        self._wires = None if self._switchboard is None else self._switchboard.address

    def hire(self, node: str, place: Placement, shape: Shape) -> Hand:
        """Start an actor; return without waiting for it.

        Args:
            node: the worker that it counts for.
            place: where Ray is to place it, and what it holds itself.
            shape: all that it holds, for later attempts.

        Raises:
            ValueError: Ray does not know such resources, 1.5 GPUs say.
        """
        self.demand.withdraw()
        stage = self._ray.remote(Stage).options(
            **options_of(place.resources),
            max_concurrency=_CALLS,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=place.strategy,
        )
        self._count += 1
        wire = (self._wires, self._count)
        actor = stage.remote(self._surroundings, threads_of(place.resources), wire, self._trainable, *self._parcels)
        hand = self._numbers[self._count] = Hand(actor, node, shape, place.group, self._count)
        self.hands.add(hand)
        self.call(hand, "ready")
        return hand

    def call(self, hand: Hand, method: str, *args: Any) -> None:
        """Call a method of an actor; what it returns or raises is heard by :meth:`look`."""
        future = getattr(hand.actor, method).remote(*args).future()
        future.add_done_callback(partial(self._hear, hand, method))

    def answer(self, hand: Hand, verdict: bytes) -> None:
        """Give an actor the verdict on its last report, by the way on which that has come."""
        if hand.wire is None:
            self.call(hand, "advance", verdict)
            return
        with contextlib.suppress(OSError):  # it reports once more, by a call
            hand.wire.send(verdict)

    def close(self) -> None:
        """Kill whatever is left, and take no more calls."""
        for hand in list(self.hands):
            self.remove(hand)
        if self._switchboard is not None:
            self._switchboard.close()

    def _hear_by_wire(self, number: int, wire: socket.socket, payload: bytes) -> None:
        hand = self._numbers.get(number)
        if hand is not None:
            self._heard.put((hand, "advance", (payload, b"", wire)))

    def _hear(self, hand: Hand, method: str, future: Any) -> None:
        self._heard.put((hand, method, future.exception() or future.result()))

    def press(self, hand: Hand, seconds: float) -> None:
        """Have an actor asked in *seconds*, unless that is to happen sooner, and killed soon after."""
        hand.deadline = min(hand.deadline, monotonic() + seconds)

    def dismiss(self, hand: Hand, seconds: float) -> None:
        """Let an actor without an attempt end by itself, which may take *seconds*."""
        self.call(hand, "leave", seconds)
        hand.pressed, hand.deadline = 1, monotonic() + seconds

    def kill(self, hand: Hand) -> None:
        """Kill an actor, at once."""
        hand.pressed, hand.deadline = 2, math.inf
        with contextlib.suppress(Exception):  # it is gone already, or the cluster is
            self._ray.kill(hand.actor, no_restart=True)

    def remove(self, hand: Hand) -> None:
        """Kill an actor and forget it."""
        self.kill(hand)
        self.forget(hand)

    def forget(self, hand: Hand) -> None:
        """Take an actor that is gone off the list, with what it held."""
        self.hands.discard(hand)
        self._numbers.pop(hand.number, None)
        if hand.group is not None:
            with contextlib.suppress(Exception):
                self._ray.util.remove_placement_group(hand.group)
            hand.group = None

    def wake(self) -> None:
        """Make a waiting :meth:`look` return; may be called from any thread or signal handler."""
        self._heard.put(None)

    def look(self, until: float) -> list[tuple[Hand, str, Any] | None]:
        """Wait until something is heard or it is *until* (monotonic seconds); return it (None: woken)."""
        nearest = min(until, self.demand.due, min((hand.deadline for hand in self.hands), default=math.inf))
        heard: list[tuple[Hand, str, Any] | None] = []
        with contextlib.suppress(queue.Empty):
            heard.append(self._heard.get(timeout=None if nearest == math.inf else max(0.0, nearest - monotonic())))
            while True:
                heard.append(self._heard.get_nowait())
        self._press_harder(monotonic())
        if self.demand.due <= monotonic():
            self.demand.tell()
        return heard

    def _press_harder(self, now: float) -> None:
        for hand in self.hands:
            if hand.deadline > now:
                continue
            if hand.pressed or not hand.born:
                self.kill(hand)
            else:
                hand.pressed, hand.deadline = 1, now + _LAST
                self.call(hand, "ask")
