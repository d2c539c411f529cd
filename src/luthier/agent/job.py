"""One attempt at a run, from the order to start it to its end."""

from __future__ import annotations

import contextlib
import os
import re
import select
import selectors
import shutil
import signal
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.agent.child import Child
from luthier.agent.endings import ending
from luthier.agent.listener import Listener
from luthier.agent.outbox import CHECKPOINT, Outbox
from luthier.agent.output import Lines, Output
from luthier.agent.parcel import pack, unpack
from luthier.agent.program import PARAMS, command_line, environment, function_line, write_params
from luthier.agent.report_lines import metrics_in
from luthier.agent.uploads import Upload
from luthier.core.errors import LuthierError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from luthier.agent.place import Place

_CHUNK = 1 << 16
_LOOK_S = 1.0  # for what no selector tells
_CLOSING_S = 2.0  # for what still is in the pipes when the program has gone
_HEARSAY_S = 1.0  # in which the agent hears of a signal that its programs have got, too
_SIGNALLED = {code for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) for code in (-n, 128 + n)}
_TAIL = 200  # lines that an error is looked for in


class Order(msgspec.Struct, frozen=True):
    """An order to start a run."""

    run: str
    attempt: int
    number: int = 0
    name: str = ""
    params: dict[str, Any] = {}
    restore: str | None = None
    restore_run: str | None = None
    resources: dict[str, float] = {}


class Job:
    """One attempt at a run, in a thread of its own.

    Args:
        order: what to run.
        place: what all runs of the agent share.
        ring: tells the agent that there is something to say; with True where it should not wait for more.

    Attributes:
        outbox: what it has to tell.
        child: its process, once there is one.
        held_back: why it has not started yet, if it waits for something.
        outcome: how it ended; empty before.
        error: what to show of its end.
    """

    def __init__(self, order: Order, place: Place, ring: Callable[[bool], None]) -> None:
        self.order, self._place = order, place
        self.folder = place.folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', order.run)}-{order.attempt}"
        self.outbox = Outbox(order.run, order.attempt, self.folder, ring)
        self.child: Child | None = None
        self.held_back = self.outcome = self.error = ""
        self.began = time.monotonic()
        self._told_error = ""
        self._halt: tuple[str, str] | None = None  # the reason, and the outcome that it will be
        self._deadline = float("inf")
        self._grace = 0.0
        self._wake_read, self._wake_write = os.pipe()
        self._checkpoints = 0
        self._lock = threading.Lock()
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._printed: deque[str] = deque(maxlen=_TAIL)
        self._output = Output(self.outbox.lines)
        self._thread = threading.Thread(target=self._run, name=f"luthier run {order.run}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def key(self) -> tuple[str, int]:
        """Which attempt at which run."""
        return self.order.run, self.order.attempt

    @property
    def alive(self) -> bool:
        """Whether something of it may be at work."""
        return not self.outcome

    def halt(self, reason: str, outcome: str, grace: float) -> None:
        """Have it end: its program is asked, and killed after *grace* seconds.  What was said first counts."""
        with self._lock:
            if self._halt is None:
                self._halt = (reason, outcome)
                self._grace = grace
            else:
                self._grace = min(self._grace, grace)
                self._deadline = min(self._deadline, time.monotonic() + grace)
            self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"x")

    # -- in its thread -------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        code: int | None = None
        try:
            code = self._work()
            self._heed(code)
            outcome, error = ending(
                code, None if self._halt is None else self._halt[1], self._told_error, self._tail, self._printed
            )
        except LuthierError as problem:
            outcome, error = self._halt[1] if self._halt else "failed", str(problem)
        except Exception as problem:  # noqa: BLE001 (a run that cannot even be started must not end the agent)
            outcome, error = self._halt[1] if self._halt else "failed", f"{type(problem).__name__}: {problem}"
        finally:
            self._place.gpus.give_back(self._holder)
        self._output.flush()
        self.error = error
        self.outbox.exited(outcome, code, error)
        with self._lock:
            self.outcome = outcome
            os.close(self._wake_write)
            os.close(self._wake_read)
            self._wake_write = self._wake_read = -1
        self._place.ended()

    def _heed(self, code: int | None) -> None:
        """Wait for the agent's word where the program has ended by what may be meant for the agent, too.

        Batch schedulers signal all processes of a job: the program may be gone before the agent has heard of it, with
        an exit code of its own choice if it handles signals. It has neither failed nor come to its end.
        """
        if self._halt is None and (code in _SIGNALLED or self._place.leaving()):
            select.select([self._wake_read], [], [], _HEARSAY_S)

    @property
    def _holder(self) -> str:
        return f"{self.order.run}-{self.order.attempt}-{id(self)}"

    def _work(self) -> int | None:
        """Run the program; return its exit code, or None where it was never started."""
        self.folder.mkdir(parents=True, exist_ok=True)
        restored = self._restore()
        gpus = self._gpus()
        if self._halt is not None:
            return None
        socket_path = str(self._place.sockets / f"{self.order.number}-{self.order.attempt}-{id(self) & 0xFFFFFF:x}")
        listener = Listener(socket_path, self._answer)
        try:
            self.child = self._start(restored, gpus, socket_path)
            self.outbox.started()
            try:
                self._attend(self.child)
            finally:
                self._end(self.child)
            return self.child.code
        finally:
            listener.close()

    def _restore(self) -> Path | None:
        """Fetch the checkpoint to go on from."""
        if not self.order.restore:
            return None
        parcel, target = self.folder / ".restore.zip", self.folder / "restored"
        shutil.rmtree(target, ignore_errors=True)
        try:
            self._place.client.get_file(self.order.restore_run or self.order.run, self.order.restore, parcel)
            unpack(parcel, target)
        finally:
            parcel.unlink(missing_ok=True)
        return target

    def _gpus(self) -> list[str] | None:
        """Wait for GPUs; return those that it has, None where the agent does not care."""
        wanted = self.order.resources.get("gpu")
        gpus = self._place.gpus
        if not gpus.ids and not wanted:
            return None if wanted is None else []
        pause = 0.05
        while (found := gpus.take(self._holder, wanted)) is None and self._halt is None:
            if not self.held_back:
                self.held_back = "waits for a GPU"
                self.outbox.note(f"[luthier: waits for a free GPU (gpu={wanted:g}); others have them]")
            time.sleep(pause)
            pause = min(1.0, pause * 2)
        self.held_back = ""
        return found or []

    def _start(self, restored: Path | None, gpus: list[str] | None, socket_path: str) -> Child:
        order, place = self.order, self._place
        params = write_params(self.folder, order.params)
        own: dict[str, str | None] = {
            "LUTHIER_SERVER": place.client.server,
            "LUTHIER_SWEEP": str(place.sweep["id"]),
            "LUTHIER_PROJECT": str(place.sweep.get("project") or ""),
            "LUTHIER_METRIC": str(place.sweep.get("metric") or "") or None,
            "LUTHIER_RUN": order.run,
            "LUTHIER_RUN_NAME": order.name or order.run,
            "LUTHIER_ATTEMPT": str(order.attempt),
            "LUTHIER_PARAMS": str(params),
            "LUTHIER_RUN_DIR": str(self.folder),
            "LUTHIER_RESTORE": None if restored is None else str(restored),
            "LUTHIER_SOCKET": socket_path,
        }
        environ = environment(place.sweep.get("environment") or {}, order.resources, gpus, own)
        argv = command_line(place.sweep, order.params, params) if place.call is None else function_line(place.call)
        try:
            return Child(argv, environ, str(place.workdir))
        except OSError as error:
            raise LuthierError(f"the program cannot be started: {error}") from error

    def _attend(self, child: Child) -> None:
        """Pass on what the program prints until it has ended."""
        pipes = {child.out: ("out", Lines()), child.err: ("err", Lines())}
        with selectors.DefaultSelector() as selector:
            for source in (child.out, child.err, child.line, self._wake_read):
                selector.register(source, selectors.EVENT_READ)
            over = float("inf")  # when the pipes are given up
            asked = False
            while pipes or child.code is None:
                now = time.monotonic()
                if self._halt is not None and not asked:
                    asked, self._deadline = True, min(self._deadline, now + self._grace)
                    child.ask()
                if now >= self._deadline:
                    child.kill()
                wait = min(_LOOK_S, max(0.0, self._deadline - now) if asked and now < self._deadline else _LOOK_S)
                for key, _ in selector.select(wait):
                    if key.fileobj == self._wake_read:
                        os.read(self._wake_read, 4096)
                    elif key.fileobj is child.line:
                        if child.hear():
                            selector.unregister(child.line)
                    elif not self._read(key.fd, *pipes[key.fd]):
                        selector.unregister(key.fd)
                        del pipes[key.fd]
                if child.code is not None or child.gone:
                    over = min(over, time.monotonic() + _CLOSING_S)
                if time.monotonic() >= over or (child.gone and not pipes):
                    break
        for stream, lines in pipes.values():
            self._take(stream, lines.rest())

    def _end(self, child: Child) -> None:
        """See to it that nothing of it is left."""
        while not child.gone:
            child.kill()
            time.sleep(0.005)
        child.hear()
        child.close()

    def _read(self, descriptor: int, stream: str, lines: Lines) -> bool:
        """Read what there is; return whether there may be more."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        self._take(stream, lines.feed(data) if data else lines.rest())
        return bool(data)

    def _take(self, stream: str, lines: list[str]) -> None:
        if not lines:
            return
        (self._tail if stream == "err" else self._printed).extend(lines[-_TAIL:])
        self._output.add(stream, lines)
        if self._place.echo is not None:
            self._place.echo(self.order.name or self.order.run, lines)
        if stream == "out" and self._place.sweep.get("output_metrics"):
            for text in lines:
                row = metrics_in(text)
                if row:
                    self.outbox.row(time.time(), row)

    # -- what the program says -----------------------------------------------------------------------------------------
    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        match message.get("is"):
            case "row":
                row, checkpoint = message["row"], message.get("checkpoint")
                if not isinstance(row, dict) or CHECKPOINT in row:
                    raise LuthierError("a row is an object of metrics")
                self._row(float(message.get("at") or time.time()), row, checkpoint)
            case "summary":
                self.outbox.summary(message["values"])
            case "error":
                self._told_error = str(message["text"])
            case "hello":
                pass
            case other:
                raise LuthierError(f"is={other!r} means nothing here")
        return {"halt": None if self._halt is None else self._halt[0] or "halted"}

    def _row(self, at: float, row: dict[str, Any], checkpoint: str | None) -> None:
        if checkpoint is None:
            self.outbox.row(at, row)
            return
        with self._lock:
            self._checkpoints += 1
            name = f"{self.order.attempt}-{self._checkpoints:06d}.zip"
        parcel = self.folder / f".{name}"
        pack(checkpoint, parcel)
        path = f"checkpoints/{name}"
        number = self.outbox.row(at, {**row, CHECKPOINT: path}, uploading=True)
        self._place.uploads.add(Upload(self.outbox, number, parcel, path))

    def clean(self) -> None:
        """Delete what is Luthier's own in the run's directory, and the directory if nothing else is in it."""
        self.outbox.forget()
        shutil.rmtree(self.folder / "restored", ignore_errors=True)
        with contextlib.suppress(OSError):
            for name in os.listdir(self.folder):
                if name == PARAMS or name.startswith("."):
                    os.unlink(self.folder / name)
            self.folder.rmdir()
