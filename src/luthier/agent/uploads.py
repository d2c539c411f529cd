"""Brings checkpoints to the server, one after the other, beside everything else."""

from __future__ import annotations

import contextlib
import queue
import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luthier.core.errors import ServerAway, ServerError
from luthier.store.backoff import Backoff

if TYPE_CHECKING:
    from pathlib import Path

    from luthier.agent.outbox import Outbox
    from luthier.sweeps.client import Client

_BACKOFF = Backoff(first=0.5, longest=15.0, jitter=0.5)
_MANY = 500  # HTTP: from here on it is the server's fault, and may pass
_BUSY = (408, 425, 429)


@dataclass(frozen=True)
class Upload:
    """A file on its way.

    Attributes:
        outbox: of the run.
        row: number of the row that waits for it.
        source: the file here; deleted once it is there.
        path: what the run has it as.
    """

    outbox: Outbox
    row: int
    source: Path
    path: str


class Uploads:
    """A queue of files, and a thread that brings them to the server."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._queue: queue.SimpleQueue[Upload | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._hurried = threading.Event()  # nothing that fails is tried again
        self._thread: threading.Thread | None = None

    def add(self, upload: Upload) -> None:
        """Bring this one, too."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="luthier uploads", daemon=True)
            self._thread.start()
        self._queue.put(upload)

    def hurry(self) -> None:
        """Bring what is left, but try nothing again that fails: the agent is to end."""
        self._hurried.set()

    def close(self) -> None:
        """Give up what is left."""
        self._ended.set()
        self._hurried.set()
        self._queue.put(None)

    def _work(self) -> None:
        while (upload := self._queue.get()) is not None and not self._ended.is_set():
            self._bring(upload)

    def _bring(self, upload: Upload) -> None:
        failures = 0
        while not self._ended.is_set() and not upload.outbox.told:
            try:
                self._client.put_file(upload.outbox.run, upload.path, upload.source)
            except ServerError as error:
                passing = isinstance(error, ServerAway) or error.status >= _MANY or error.status in _BUSY
                if not passing or self._hurried.is_set():
                    self._fail(upload, str(error))
                    break
                failures += 1
                self._hurried.wait(_BACKOFF.delay(failures, random.random()))  # noqa: S311
            except OSError as error:
                self._fail(upload, str(error))
                break
            else:
                upload.outbox.uploaded(upload.row)
                break
        with contextlib.suppress(OSError):
            upload.source.unlink()

    def _fail(self, upload: Upload, why: str) -> None:
        text = f"[luthier: the checkpoint {upload.path} could not be uploaded: {why}]"
        upload.outbox.uploaded(upload.row, wrong=text)
