"""``params.json`` and ``params.pkl``: the config of each trial; and ``error.txt`` where nobody else wrote it."""

from __future__ import annotations

import json
import os
import pickle
import time
from typing import TYPE_CHECKING

import msgspec

from luthier.callbacks.failures import headline
from luthier.callbacks.row_text import plain
from luthier.callbacks.written import Complaints, append
from luthier.core import events as ev
from luthier.core.native import native_dict
from luthier.core.terms import Outcome
from luthier.store.values import finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.state import ExperimentState
    from luthier.core.terms import Config, TrialId

JSON, PICKLE, ERROR = "params.json", "params.pkl", "error.txt"
EVERY = 0.5
_sorted = msgspec.json.Encoder(order="sorted").encode


def params_json(config: Config) -> bytes:
    r"""Return *config* as indented JSON with sorted keys; what JSON cannot say is said as text.

    >>> params_json({"b": (1, 2), "a": float("inf")})
    b'{\n  "a": Infinity,\n  "b": [\n    1,\n    2\n  ]\n}'
    """
    told = config if native_dict(config) else plain(config)
    try:
        text = _sorted(told)
        if b"null" not in text or finite(told):
            return msgspec.json.format(text, indent=2)
    except (TypeError, ValueError, OverflowError, UnicodeEncodeError, RecursionError):
        pass
    return json.dumps(told, indent=2, sort_keys=True, default=str).encode("ascii")


def params_pickle(config: Config) -> bytes:
    """Return *config* pickled: functions and classes of a script by value, so that another process can load them."""
    if native_dict(config):
        return pickle.dumps(config, protocol=4)
    import cloudpickle

    try:
        return cloudpickle.dumps(config)  # type: ignore[no-any-return]
    except Exception:  # noqa: BLE001 (whatever a __reduce__ raises; the config ran, so the trial goes on)
        return pickle.dumps(plain(config), protocol=4)


class ParamFiles:
    """Listener that writes a trial's config when it is launched, and anew when another attempt has another config.

    An attempt that died without a word of its own (a crash of the interpreter, a kill) gets its ``error.txt`` here.

    Args:
        experiment_dir: the experiment's directory.
    """

    def __init__(self, experiment_dir: str | os.PathLike[str]) -> None:
        self._directory = os.fspath(experiment_dir)
        self._written: dict[TrialId, Config] = {}
        self._late: dict[str, bytes] = {}  # what could not be written, by path
        self._complaints = Complaints()
        self._next = 0.0

    def on_events(self, events: Sequence[ev.Event], experiment: ExperimentState) -> None:
        """Write configs of what is launched, and errors of what died."""
        for event in events:
            if isinstance(event, ev.Launched):
                self._params(event, experiment)
            elif isinstance(event, ev.Exited):
                if event.outcome in (Outcome.ERROR, Outcome.LOST) and event.error:
                    self._error(event, experiment)
            elif isinstance(event, ev.Ended):
                self._written.pop(event.trial, None)

    def on_tick(self, now: float) -> None:
        """Try again what could not be written."""
        if self._late and now >= self._next:
            self._next = now + EVERY
            late, self._late = self._late, {}
            for path, text in late.items():
                self._write(path, text)
            if not self._late:
                self._complaints.mended()

    def close(self) -> None:
        """Try a last time."""
        self.on_tick(float("inf"))

    def _params(self, event: ev.Launched, experiment: ExperimentState) -> None:
        before = self._written.get(event.trial)
        if before is event.config:
            return
        self._written[event.trial] = event.config
        folder = f"{self._directory}{os.sep}{experiment.trials[event.trial].label.folder}{os.sep}"
        self._write(folder + JSON, params_json(event.config))
        self._write(folder + PICKLE, params_pickle(event.config))

    def _error(self, event: ev.Exited, experiment: ExperimentState) -> None:
        path = os.path.join(self._directory, experiment.trials[event.trial].label.folder, ERROR)
        try:
            with open(path, "rb") as file:
                told = file.read()
        except OSError:
            told = b""
        if headline(event.error).encode("utf-8", "backslashreplace") in told:
            return
        when = time.strftime("%Y-%m-%d_%H-%M-%S")
        text = f"Failure # {event.attempt} (occurred at {when})\n{event.error.rstrip()}\n"
        self._write(path, told + text.encode("utf-8", "backslashreplace"))

    def _write(self, path: str, text: bytes) -> None:
        _, trouble = append(path, text, fresh=True)
        if trouble is not None:
            self._late[path] = text
            self._complaints.failed(path, trouble)
