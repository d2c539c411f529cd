"""Carries what an agent has to say to the server, and its orders back."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.agent.job import Order
from luthier.agent.lease import Lease, clock
from luthier.core.errors import ServerAway, ServerError
from luthier.store.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luthier.agent.outbox import Outbox, Said
    from luthier.sweeps.client import Client

WAIT_S = 20.0
_BUNDLE_S = 0.1
_ROOM = 384 << 10  # bytes of one message
_SMALLEST = 4 << 10
_BACKOFF = Backoff(first=0.2, longest=10.0, jitter=0.5)
_SLACK_S = 15.0  # beyond what the server may hold a reply back
_REFUSED = (401, 403)
_UNKNOWN, _TOO_LARGE = 404, 413
_UNREADABLE = (400, 422)


class Courier:
    """A thread with one exchange at a time.

    Args:
        client: the way to the server.
        registration: what the server said to the agent's registration.
        lease: renewed with each answer.
        deliver: takes the orders of a reply.
        hear: takes what is to be shown: a text.

    Attributes:
        exit: why the agent is to leave; empty while it is to stay.
        refused: whether that is because the server does not want it.
        away: whether the server does not answer.
    """

    def __init__(
        self,
        client: Client,
        registration: Mapping[str, Any],
        lease: Lease,
        deliver: Callable[[Sequence[Mapping[str, Any]]], None],
        hear: Callable[[str], None],
    ) -> None:
        self._client, self._agent, self._lease = client, str(registration["agent"]), lease
        self._deliver, self._hear = deliver, hear
        self._heartbeat_s = float(registration.get("heartbeat_s") or 1.0)
        self.exit, self.refused, self.away = "", False, False
        self.outboxes: dict[tuple[str, int], Outbox] = {}
        self._bell = threading.Condition()
        self._rung_at: float | None = None  # when something new came
        self._urgent = self._closed = self._leaving = False
        self._settled = True  # whether the last orders were carried out
        self._failures, self._delay, self._room = 0, 0.0, _ROOM
        self._wait_s = min(WAIT_S, lease.lease_s / 3)
        self._careful = False  # one part at a time: one of them cannot be read
        self._thread = threading.Thread(target=self._work, name="luthier courier", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ring(self, urgent: bool = False) -> None:  # noqa: FBT001, FBT002 (one word)
        """Say that there is something to tell."""
        with self._bell:
            if self._rung_at is None:
                self._rung_at = clock()
            self._urgent = self._urgent or urgent
            self._bell.notify()

    def add(self, outbox: Outbox) -> None:
        """Tell what is in *outbox*, too."""
        with self._bell:
            self.outboxes[outbox.run, outbox.attempt] = outbox
            self._bell.notify()

    def settle(self) -> None:
        """Hear that the last orders were carried out: before that, the server would give them again."""
        with self._bell:
            self._settled = True
            self._bell.notify()

    def leave(self) -> None:
        """Ask for no more runs: what there is to tell is told, then nothing is."""
        with self._bell:
            self._leaving = True
            self._bell.notify()

    def close(self) -> None:
        """Go no more; a message that is on its way is given up."""
        with self._bell:
            self._closed = True
            self._bell.notify()

    @property
    def told(self) -> bool:
        """Whether the server has heard of the end of all runs that there were."""
        with self._bell:
            return not self.outboxes

    # -- in its thread -------------------------------------------------------------------------------------------------
    def _work(self) -> None:
        last = clock() - self._heartbeat_s
        while True:
            with self._bell:
                while not self._closed and (wait := self._pause(last)) > 0:
                    self._bell.wait(wait)
                if self._closed:
                    return
                self._rung_at, self._urgent = None, False
                said, body, wait_s = self._message()
            last = clock()
            try:
                reply = self._client.exchange(
                    self._agent, body, timeout_s=wait_s + min(_SLACK_S, self._lease.lease_s / 4)
                )
                orders = _orders(reply)
            except ServerError as error:
                self._failed(error, said)
            else:
                self._lease.renew(last)
                self._answered(reply, orders, said)

    def _pause(self, last: float) -> float:
        """Return how many seconds there still are until the next message."""
        now = clock()
        if self._failures:
            return last + self._delay - now
        if not self._settled:
            return 1.0
        if not self.outboxes:
            return 3600.0 if self._leaving or self.exit else 0.0
        waiting = any(outbox.waits for outbox in self.outboxes.values())
        if self._urgent:
            return 0.0
        due = last + self._heartbeat_s
        if waiting:
            due = min(due, (self._rung_at or now) + _BUNDLE_S if self._rung_at else last)
        return due - now

    def _message(self) -> tuple[list[Said], bytes, float]:
        said: list[Said] = []
        holding = []
        left = self._room
        for key, outbox in list(self.outboxes.items()):
            if self._leaving and outbox.withdraw():  # else the server would have another run for us
                del self.outboxes[key]
                continue
            parts = outbox.parts(max(_SMALLEST, left), leaving=self._leaving) if left > 0 or not said else []
            if self._careful:
                parts = parts[: 1 - len(said)]
            left -= sum(part.size for part in parts)
            said += parts
            if not any(part.told["is"] == "exited" for part in parts):
                holding.append({"run": outbox.run, "attempt": outbox.attempt})
        idle = not holding and not self._leaving and not self._failures
        wait_s = self._wait_s if idle else 0.0
        told = [part.told for part in said]
        return said, msgspec.json.encode({"wait_s": wait_s, "holding": holding, "said": told}), wait_s

    def _answered(self, reply: dict[str, Any], orders: list[dict[str, Any]], said: list[Said]) -> None:
        if self.away:
            self._hear("the server is back")
        taken = int(reply.get("accepted") or 0)
        self.away, self._failures = False, 0
        if said and taken <= 0:  # not now, it seems
            self._failures, self._delay = 1, self._heartbeat_s
        if self._room < _ROOM:
            self._room = min(_ROOM, self._room * 2)
        self._careful = False
        self._heartbeat_s = float(reply.get("heartbeat_s") or self._heartbeat_s)
        for part in said[:taken]:
            part.outbox.taken(part)
        with self._bell:
            for key in [key for key, outbox in self.outboxes.items() if outbox.told]:
                del self.outboxes[key]
            self.exit = str(reply.get("exit") or "")
            self._settled = not orders
        self._deliver(orders)

    def _failed(self, error: ServerError, said: Sequence[Said]) -> None:
        self._failures += 1
        self._delay = min(_BACKOFF.delay(self._failures, random.random()), self._lease.lease_s / 10)  # noqa: S311
        if error.status == _TOO_LARGE and said:
            self._room = max(_SMALLEST, self._room // 2)
            self._delay = 0.0 if self._room > _SMALLEST else self._delay
        if error.status in _UNREADABLE and said:
            if self._careful:  # this is the one
                self._hear(f"{error}: the server does not take {said[0].told['is']} of run {said[0].outbox.run}")
                said[0].outbox.taken(said[0])
            self._careful, self._room, self._delay = True, _SMALLEST, 0.0
            return
        if error.status == _UNKNOWN or error.status in _REFUSED:
            with self._bell:
                self.exit, self.refused = str(error), True
                self._closed = True
            self._deliver(())
            return
        if not self.away:
            self._hear(str(error) if not isinstance(error, ServerAway) else f"{error} -- what runs goes on meanwhile")
        self.away = True
        self._deliver(())


def _orders(reply: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the orders in *reply*, whose other parts can be read, too.

    Raises:
        ServerError: something of it makes no sense.
    """
    try:
        orders: list[dict[str, Any]] = msgspec.convert(reply.get("orders") or [], list[dict[str, Any]])
        for order in orders:
            msgspec.convert({name: order[name] for name in order if order[name] is not None}, Order)
        int(reply.get("accepted") or 0), float(reply.get("heartbeat_s") or 1.0)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        raise ServerError(f"the server answers what makes no sense: {error}") from error
    return orders
