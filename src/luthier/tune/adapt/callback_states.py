"""What callbacks want to know again after a restart: ``callback-states.pkl``."""

from __future__ import annotations

import logging
import os
import pickle
from typing import TYPE_CHECKING, Any

from luthier.callbacks.base import Silent
from luthier.store.mirror import STATES
from luthier.tune.callback import Callback

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger("luthier")

FILE_NAME = STATES
PERIOD_S = 10.0


class CallbackStates(Silent):
    """Keeps what ``get_state`` of the callbacks returns, every few seconds and at the end, and gives it back.

    A callback is known by its place in the list and by its class.  What a callback raises is logged once and does not
    disturb the experiment.

    Args:
        callbacks: the users' objects.
        directory: the experiment's directory.
        period_s: seconds between two times that it is written.
    """

    def __init__(self, callbacks: Sequence[Callback], directory: str, period_s: float = PERIOD_S) -> None:
        self._callbacks = {
            i: callback for i, callback in enumerate(callbacks) if type(callback).get_state is not Callback.get_state
        }
        self._path, self._period = os.path.join(directory, FILE_NAME), period_s
        self._next: float | None = None
        self._written = b""
        self._broken: set[tuple[int, str]] = set()

    def restore(self) -> None:
        """Give the callbacks what was kept last; do nothing where nothing was."""
        try:
            with open(self._path, "rb") as file:
                states: dict[int, tuple[str, bytes]] = pickle.load(file)
        except FileNotFoundError:
            return
        except Exception as error:  # noqa: BLE001 (whatever is wrong with the file: the log decides, not this)
            log.warning("The states of callbacks in %s cannot be read, so they begin anew: %s", self._path, error)
            return
        for i, callback in self._callbacks.items():
            name, state = states.get(i, ("", b""))
            if name == type(callback).__qualname__:
                try:
                    callback.set_state(pickle.loads(state))
                except Exception:
                    log.exception("%s.set_state raised; it begins anew", name)

    def on_tick(self, now: float) -> None:
        """Write what is new, if it is time to."""
        if self._next is None:
            self._next = now + self._period
        elif now >= self._next:
            self._next = now + self._period
            self.save()

    def close(self) -> None:
        """Write what is new."""
        self.save()

    def save(self) -> None:
        """Write what the callbacks want to know again; the file is the old one or the new one, never half of one."""
        states = {i: (type(c).__qualname__, state) for i, c in self._callbacks.items() if (state := self._state(i, c))}
        pickled = pickle.dumps(states)
        if not states or pickled == self._written:
            return
        try:
            with open(f"{self._path}.tmp", "wb") as file:
                file.write(pickled)
            os.replace(f"{self._path}.tmp", self._path)
        except OSError as error:
            self._complain(-1, "write", "The states of callbacks cannot be written: %s", error)
        else:
            self._written = pickled

    def _state(self, i: int, callback: Callback) -> bytes:
        import cloudpickle

        try:
            state: Any = callback.get_state()
            return b"" if state is None else bytes(cloudpickle.dumps(state))
        except Exception as error:  # noqa: BLE001 (the user's own)
            name = type(callback).__qualname__
            self._complain(i, "get_state", "%s.get_state: %s: %s", name, type(error).__name__, error)
            return b""

    def _complain(self, i: int, what: str, text: str, *words: object) -> None:
        if (i, what) not in self._broken:
            self._broken.add((i, what))
            log.warning(text, *words)
