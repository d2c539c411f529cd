"""What one run has to tell the server, in order, until the server has it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.agent.spool import Spool
from luthier.sweeps.wire import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

CHECKPOINT = "_checkpoint"


class Said(msgspec.Struct):
    """One part of what an agent says.

    Attributes:
        told: as the server reads it.
        outbox: whose it is.
        count: how many rows or lines it has.
        size: about how many bytes.
    """

    told: dict[str, Any]
    outbox: Outbox
    count: int = 1
    size: int = 100


class Outbox:
    """Keeps what one attempt at a run says until the server has taken it; any thread may put something in.

    Args:
        run: its id.
        attempt: which attempt.
        folder: for files with what memory has no room for.
        ring: called when there is something new; with True where it should not wait for more.
    """

    def __init__(self, run: str, attempt: int, folder: Path, ring: Callable[[bool], None]) -> None:
        self.run, self.attempt, self._ring = run, attempt, ring
        self._lock = threading.RLock()
        self._rows = Spool(folder / f".rows-{attempt}")
        self._lines = Spool(folder / f".lines-{attempt}")
        self._started: float | None = None
        self._summary: dict[str, Any] = {}
        self._changed = 0  # how often the summary was set
        self._exited: dict[str, Any] | None = None
        self._over = self.told = False
        self._uploading: set[int] = set()  # numbers of rows whose checkpoint is not there yet
        self._bare: set[int] = set()  # numbers of rows whose checkpoint never will be
        self.last: dict[str, Any] = {}  # the latest value of each metric

    # -- what goes in --------------------------------------------------------------------------------------------------
    def started(self) -> None:
        """Say that the process is there."""
        with self._lock:
            self._started = time.time()
        self._ring(False)  # noqa: FBT003 (one word)

    def row(self, at: float, row: Mapping[str, Any], *, uploading: bool = False) -> int:
        """Say a row of metrics; return its number.

        With *uploading* it, and all after it, wait for :meth:`uploaded`.
        """
        text = encode(row)
        with self._lock:
            if self._over:
                return -1
            number = self._rows.add(at, text)
            self.last.update(row)
            if uploading:
                self._uploading.add(number)
        self._ring(False)  # noqa: FBT003 (as above)
        return number

    def uploaded(self, number: int, *, wrong: str = "") -> None:
        """Let row *number* go, with its checkpoint; or without, and with what is *wrong* among the run's output."""
        with self._lock:
            if wrong and not self.told:  # also after the process has ended: that is told when nothing is on its way
                self._print([(time.time(), "err", wrong)])
                self._bare.add(number)
            self._uploading.discard(number)
        self._ring(False)  # noqa: FBT003 (as above)

    def lines(self, lines: Iterable[tuple[float, str, str]]) -> None:
        """Say lines of output: time, ``out`` or ``err``, text."""
        with self._lock:
            if self._over:
                return
            self._print(lines)
        self._ring(False)  # noqa: FBT003 (as above)

    def note(self, text: str) -> None:
        """Say something about the run among its output."""
        self.lines([(time.time(), "err", text)])

    def summary(self, values: Mapping[str, Any]) -> None:
        """Say values that were set by hand."""
        with self._lock:
            self._summary.update(values)
            self._changed += 1
        self._ring(False)  # noqa: FBT003 (as above)

    def exited(self, outcome: str, code: int | None, error: str) -> None:
        """Say how it has ended; nothing comes after that."""
        with self._lock:
            self._over = True
            self._exited = {"at": time.time(), "outcome": outcome, "code": code, "error": _sound(error)}
        self._ring(True)  # noqa: FBT003 (as above)

    # -- what goes out -------------------------------------------------------------------------------------------------
    @property
    def over(self) -> bool:
        """Whether the process has ended."""
        return self._exited is not None

    @property
    def waits(self) -> bool:
        """Whether there is something that could be told now."""
        with self._lock:
            return bool(
                self._started or self._summary or len(self._lines) or self._rows_ready() or self._exit_ready()
            )  # fmt: skip

    def parts(self, room: int, *, leaving: bool = False) -> list[Said]:
        """Return what is to be told next, about *room* bytes; with *leaving*, not that the run was given back."""
        with self._lock:
            parts = []
            if self._started is not None:
                parts.append(self._part("started", {"at": self._started}))
            if self._summary:
                encoded = encode(self._summary)
                told = {"values": msgspec.Raw(encoded)}
                parts.append(self._part("summary", told, self._changed, len(encoded)))
            rows = self._row_part(room)
            if rows is not None:
                parts.append(rows)
            found = list(self._lines.front(room - (rows.size if rows else 0))) if len(self._lines) else []
            if found:
                lines = [msgspec.Raw(text) for _, text in found]
                size = sum(len(text) for _, text in found)
                parts.append(self._part("output", {"first": self._lines.first, "lines": lines}, len(found), size))
            complete = (rows.count if rows else 0) == len(self._rows) and len(found) == len(self._lines)
            if self._exited is not None and complete and not (leaving and self._exited["outcome"] == "left"):
                parts.append(self._part("exited", self._exited, 1, len(self._exited["error"])))
            return parts

    def taken(self, part: Said) -> None:
        """Forget what the server has taken."""
        with self._lock:
            match part.told["is"]:
                case "started":
                    self._started = None
                case "summary":
                    if part.count == self._changed:
                        self._summary = {}
                case "rows":
                    self._rows.drop(part.told["first"] + part.count - self._rows.first)
                    self._bare -= {number for number in self._bare if number < self._rows.first}
                case "output":
                    self._lines.drop(part.told["first"] + part.count - self._lines.first)
                case "exited":
                    self.told = True

    def withdraw(self) -> bool:
        """Leave the end of a run unsaid that is given back by the agent's leaving; return whether that was all."""
        with self._lock:
            left = self._exited is not None and self._exited["outcome"] == "left"
            if left and not (len(self._rows) or len(self._lines) or self._summary):
                self.told = True
            return self.told

    def forget(self) -> None:
        """Drop all that was not told, and the files with it."""
        with self._lock:
            self._over = self.told = True
            self._rows.close()
            self._lines.close()

    def _part(self, word: str, told: dict[str, Any], count: int = 1, size: int = 0) -> Said:
        told = {"is": word, "run": self.run, "attempt": self.attempt, **told}
        return Said(told, self, count, size + 100)

    def _print(self, lines: Iterable[tuple[float, str, str]]) -> None:
        for at, stream, text in lines:
            self._lines.add(at, msgspec.json.encode([round(at, 3), stream, _sound(text)]))

    def _rows_ready(self) -> int:
        """Return how many rows need not wait for an upload."""
        end = min(self._uploading, default=self._rows.next)
        return end - self._rows.first

    def _exit_ready(self) -> bool:
        return self._exited is not None and not self.told and not self._uploading

    def _row_part(self, room: int) -> Said | None:
        ready = self._rows_ready()
        if not ready:
            return None
        found: list[tuple[float, bytes]] = []
        for number, (at, text) in enumerate(self._rows.front(room), self._rows.first):
            if len(found) == ready:
                break
            found.append((at, _without_checkpoint(text) if number in self._bare else text))
        told = {
            "first": self._rows.first,
            "at": [round(at, 3) for at, _ in found],
            "rows": [msgspec.Raw(text) for _, text in found],
        }
        return self._part("rows", told, len(found), sum(len(text) for _, text in found))


def _sound(text: str) -> str:
    """Return *text* without what UTF-8 cannot say."""
    return text.encode("utf-8", "replace").decode()


def _without_checkpoint(text: bytes) -> bytes:
    row = decode(text)
    row.pop(CHECKPOINT, None)
    return encode(row)
