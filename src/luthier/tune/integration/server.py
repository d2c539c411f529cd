"""Luthier's own server: experiments of a Tuner stand on its pages beside sweeps."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.core.errors import Conflict, LuthierError
from luthier.tune.callback import Callback
from luthier.tune.logger.clerk import Clerk

if TYPE_CHECKING:
    from luthier.sweeps.client import Client
    from luthier.tune.trial import Trial

FILE_NAME = "luthier-server.json"  # in the experiment's directory: where it was sent, so that a restored one goes on
LINES = 500  # of the log in one request at most
log = logging.getLogger("luthier")


class LuthierServerCallback(Callback):
    """Sends the experiment's log to a server of Luthier's while it grows.

    A thread follows the log; trials never wait for it.  Where the server is away, it is tried again, and what could not
    be sent stays in the log: a restored experiment sends the rest.

    Args:
        server: the server's URL; ``$LUTHIER_SERVER`` where None.
        key: an API key, if the server wants one; ``$LUTHIER_API_KEY`` or what ``luthier login`` keeps where None.  It
            is written nowhere.
        project: where the experiment belongs.
        name: what it is called there; its own name where None.
        patience_s: seconds to wait at the end of the experiment without anything sent.

    >>> from luthier import tune
    >>> run_config = tune.RunConfig(callbacks=[LuthierServerCallback("http://127.0.0.1:8017", project="digits")])
    """

    def __init__(
        self,
        server: str | None = None,
        key: str | None = None,
        project: str | None = None,
        name: str | None = None,
        patience_s: float = 30.0,
    ) -> None:
        self.server, self.project, self.name, self.patience_s = server, project, name, patience_s
        self._key = key
        self._sending: _Sending | None = None
        self._clerk: Clerk | None = None
        self._complained = False

    def __getstate__(self) -> dict[str, Any]:
        """Return what may be written down: all but the key."""
        return {**self.__dict__, "_key": None, "_sending": None, "_clerk": None}

    def setup(
        self, stop: Any = None, num_samples: int | None = None, total_num_samples: int | None = None, **info: Any
    ) -> None:
        """Start the thread."""
        from luthier.sweeps.client import Client

        self._complained = False
        client = Client(self.server, self._key, patience_s=0.5)  # what fails is tried again each second
        self._sending = _Sending(client, self.experiment_dir, self.project, self.name, total_num_samples)
        self._clerk = Clerk("luthier-server", self._sending.send, self._complain)

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        """Send the rest, and how it ended."""
        clerk, sending = self._clerk, self._sending
        if clerk is None or sending is None:
            return
        self._clerk = self._sending = None
        clerk.post(sending.finish, "FINISHED" if all(trial.is_finished() for trial in trials) else "PAUSED")
        if not clerk.finish(self.patience_s) or clerk.failed:
            log.warning(
                "LuthierServerCallback: the server lacks a part of the log; the rest is sent once it is restored."
            )
        sending.close()

    def _complain(self, error: BaseException) -> None:
        if not self._complained:
            self._complained = True
            log.warning("LuthierServerCallback: %s (the experiment goes on; this is said once)", error)


class _Sending:
    """Follows the log in *directory* and sends what is new."""

    def __init__(
        self, client: Client, directory: str, project: str | None, name: str | None, expected: int | None
    ) -> None:
        self._client, self._directory, self._project, self._name = client, directory, project, name
        self._expected = expected if expected is not None and expected >= 0 else None
        self._id: str | None = None
        self._lines: list[str] = []  # read, and not known to have arrived
        self._tail: Any = None

    def send(self) -> None:
        """Send what is there by now."""
        self._read()
        while self._lines:
            if not self._part("RUNNING"):
                return

    def finish(self, state: str) -> None:
        """Send the rest, and that the experiment is in *state*."""
        self.send()
        self._part(state)

    def close(self) -> None:
        """Let go of the server."""
        self._client.close()

    def _part(self, state: str) -> bool:
        """Send the first lines; return whether the server took any."""
        lines = self._lines[:LINES]
        body = {"lines": lines, "state": state, "expected": self._expected}
        answer = self._client.call("POST", f"/experiments/{self._identified()}/records", body)
        if answer["length"] < self._end(lines):  # it knows less than we thought: another database, or a restored one
            self._begin(answer["length"])
            return bool(self._lines)
        del self._lines[: len(lines)]
        return True

    def _end(self, lines: list[str]) -> int:
        from luthier.store.codec import extent

        return extent(lines[-1].encode())[1] if lines else 0

    def _read(self) -> None:
        from luthier.store.codec import encode

        if self._tail is None:
            self._begin(0)
            return
        try:
            self._lines += [encode(record).decode() for record in self._tail.look()]
        except Conflict:  # a batch was taken back: it can only be the last one, and comes anew
            self._begin(0)

    def _begin(self, after: int) -> None:
        from luthier.store.codec import encode
        from luthier.store.tail import Tail

        self._tail = Tail(self._directory, after, unpickle=False)
        self._lines = [encode(record).decode() for record in self._tail.look()]

    def _identified(self) -> str:
        """Return the experiment's id on the server, where it is made if it was not."""
        if self._id is None:
            self._id = self._known() or self._made()
        return self._id

    def _known(self) -> str | None:
        import msgspec

        try:
            said = msgspec.json.decode((Path(self._directory) / FILE_NAME).read_bytes())
        except (OSError, msgspec.DecodeError):
            return None
        if not isinstance(said, dict) or said.get("server") != self._client.server:
            return None
        experiment = str(said.get("experiment"))
        try:
            self._client.call("POST", f"/experiments/{experiment}/records", {"lines": [], "state": "RUNNING"})
        except LuthierError as error:
            if getattr(error, "status", 0) == 404:  # noqa: PLR2004 (it was deleted there)
                return None
            raise
        return experiment

    def _made(self) -> str:
        import msgspec

        from luthier.store.card import ExperimentCard

        card = ExperimentCard.read(self._directory)
        wanted = {"name": self._name or card.name, "project": self._project, "config": card.space}
        if card.metrics:
            wanted |= {"metric": card.metrics[0], "mode": card.modes[0]}
        made = self._client.call("POST", "/experiments", wanted)
        said = {"server": self._client.server, "experiment": made["experiment"], "url": made["url"]}
        path = Path(self._directory) / FILE_NAME
        path.with_suffix(".new").write_bytes(msgspec.json.encode(said))
        os.replace(path.with_suffix(".new"), path)
        log.info("LuthierServerCallback: %s", made["url"])
        return str(made["experiment"])
