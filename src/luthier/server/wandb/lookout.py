"""What heartbeats of W&B's agents showed: which runs went missing, and which were handed out without an echo.

An agent says every five seconds which runs are alive, and nothing more: not how one ended, nor whether it got what was
handed out.  So a run that is not alive either never reached the agent (it is handed out again), or it is over (its own
client says how, a moment before or after), or it died without a word (which is known after a while).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.server.texts import value
from luthier.server.wandb.naming import called, parsed
from luthier.server.wire import Exchange, Exited, Holding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

GRACE_S = 15.0  # three heartbeats: for so long the end of a run that went missing may be on its way
GENTLE_S = (
    18.0  # a client looks every 15 s whether it is told to stop; then it ends in order, and SIGTERM is not needed
)
HANDOUTS = 3  # a run that was handed out so often and never began is one that cannot


class Lookout:
    """Remembers, in this process; what is forgotten at a restart is seen again, a little later."""

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}  # agents' runs that were alive once
        self._missing: dict[tuple[str, str], float] = {}  # since when
        self._handed: dict[tuple[str, str], int] = {}
        self._halting: dict[tuple[str, str], float] = {}  # since when

    def told(self, agent: str, held: Iterable[Any], alive: Collection[str], now: float) -> Exchange:
        """Return what a heartbeat of *agent* says in our words.

        Args:
            agent: its id.
            held: the rows of the runs that it is to have.
            alive: the names of the runs that it has.
            now: the time.
        """
        seen = self._seen.setdefault(agent, set())
        holding = [Holding(*known) for known in map(parsed, alive) if known is not None]
        said: list[Any] = []
        for row in held:
            name = called(row.id, row.attempt)
            key = agent, name
            if name in alive:
                seen.add(name)
                self._missing.pop(key, None)
            elif row.state == "stopping":  # it is over, as it was to be
                holding.append(Holding(row.id, row.attempt))
                said.append(Exited(row.id, row.attempt, "halted", now))
            else:
                begun = value(row.about).get("begun") == row.attempt or name in seen
                if begun and now - self._missing.setdefault(key, now) < GRACE_S:
                    holding.append(Holding(row.id, row.attempt))
                elif begun or self._handed.get(key, 0) >= HANDOUTS:
                    holding.append(Holding(row.id, row.attempt))
                    what = "its process ended without a word" if begun else f"it was started {HANDOUTS} times in vain"
                    said.append(Exited(row.id, row.attempt, "failed", now, None, what))
        self._forget(agent, {called(row.id, row.attempt) for row in held} | set(alive))
        return Exchange(holding, said)

    def command(
        self, agent: str, orders: Sequence[Mapping[str, Any]], alive: Collection[str], now: float, *, gentle: bool
    ) -> Mapping[str, Any] | None:
        """Return which of *orders* *agent* is to carry out now: one at a time, and no run beside another.

        Args:
            agent: its id.
            orders: what it is to do.
            alive: the names of the runs that it has.
            now: the time.
            gentle: whether a run has a while to end by itself, because its client was told.
        """
        for order in orders:
            name = called(order["run"], order["attempt"])
            if order["is"] == "halt" and name in alive:
                since = self._halting.setdefault((agent, name), now)
                if not gentle or now - since >= GENTLE_S:
                    return order
        if not alive:
            for order in orders:
                if order["is"] == "run":
                    key = agent, called(order["run"], order["attempt"])
                    self._handed[key] = self._handed.get(key, 0) + 1
                    return order
        return None

    def _forget(self, agent: str, known: set[str]) -> None:
        """Let go of what was about other runs of *agent*."""
        self._seen[agent] &= known
        for kept in (self._missing, self._handed, self._halting):
            for key in [key for key in list(kept) if key[0] == agent and key[1] not in known]:
                kept.pop(key, None)
