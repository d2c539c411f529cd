"""The writer: one thread that does all work on the database that changes something, many pieces in one transaction."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection

from luthier.core.errors import LuthierError
from luthier.server.database import writing

if TYPE_CHECKING:
    from sqlalchemy import Engine

T = TypeVar("T")
AT_ONCE = 64  # pieces of work in one transaction at most


class Closed(LuthierError):
    """The server is going down; nothing of the work was done."""


class Keeper(Protocol):
    """Who keeps in memory what the work changes, and hears what became of it."""

    def committing(self, connection: Connection) -> None:
        """Write what was put off to the end of the transaction."""

    def committed(self) -> None:
        """Hear that all since the last commit is safe."""

    def rolled_back(self) -> None:
        """Hear that nothing since the last commit happened."""


class _Piece(NamedTuple, Generic[T]):
    work: Callable[[Connection], T]
    order: str
    future: Future[T]


class Writer:
    """Does pieces of work, each wholly or not at all.

    Whatever waits when a transaction begins goes into it, in the order of what it is about (so that two servers take
    the rows of sweeps in the same order).  If one piece raises, all is rolled back and each is done once more in a
    transaction of its own: a piece must not mind being done twice if the first time did not count.

    Args:
        engine: of the database.
        keeper: hears of commits and rollbacks, in the writer's thread.
        harmless: what pieces raise only before they have changed anything: the others go on as if nothing had been.
    """

    def __init__(self, engine: Engine, keeper: Keeper, harmless: tuple[type[Exception], ...] = ()) -> None:
        self._engine, self._keeper, self._harmless = engine, keeper, harmless
        self._waiting: queue.SimpleQueue[_Piece[Any] | None] = queue.SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="luthier-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T], order: str = "") -> Future[T]:
        """Have *work* done, and return its future; *order* is the sweep that it is about.

        Raises:
            Closed: the writer was closed.
        """
        piece = _Piece(work, order, Future())
        with self._lock:
            if self._closed:
                raise Closed("the server is going down")
            self._waiting.put(piece)
        return piece.future

    def do(self, work: Callable[[Connection], T], order: str = "") -> T:
        """Have *work* done, wait for it, and return its result."""
        return self.submit(work, order).result()

    def close(self) -> None:
        """Do what waits, and end; closing twice does no harm."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            pieces, ended = self._taken()
            pieces = [piece for piece in pieces if piece.future.set_running_or_notify_cancel()]
            if not pieces:
                continue
            pieces.sort(key=lambda piece: piece.order)  # stable: what is about one sweep stays in order
            try:
                results = self._done(pieces)
            except BaseException as error:  # noqa: BLE001 (the thread must outlive whatever work raises)
                if len(pieces) == 1:
                    pieces[0].future.set_exception(error)
                    continue
                self._do_one_by_one(pieces)
            else:
                for piece, result in zip(pieces, results, strict=True):
                    _tell(piece, result)

    def _taken(self) -> tuple[list[_Piece[Any]], bool]:
        """Wait for work; return it, and whether that was the end."""
        pieces: list[_Piece[Any]] = []
        piece = self._waiting.get()
        while piece is not None:
            pieces.append(piece)
            if len(pieces) == AT_ONCE:
                return pieces, False
            try:
                piece = self._waiting.get_nowait()
            except queue.Empty:
                return pieces, False
        return pieces, True

    def _do_one_by_one(self, pieces: list[_Piece[Any]]) -> None:
        for piece in pieces:
            try:
                (result,) = self._done([piece])
            except BaseException as error:  # noqa: BLE001 (it goes to who asked)
                piece.future.set_exception(error)
            else:
                _tell(piece, result)

    def _done(self, pieces: list[_Piece[Any]]) -> list[Any]:
        try:
            with writing(self._engine) as connection:
                results = [self._result(piece, connection) for piece in pieces]
                self._keeper.committing(connection)
        except BaseException:
            self._keeper.rolled_back()
            raise
        self._keeper.committed()
        return results

    def _result(self, piece: _Piece[Any], connection: Connection) -> Any:
        try:
            return piece.work(connection)
        except self._harmless as error:
            return _Refused(error)


class _Refused(NamedTuple):
    error: Exception


def _tell(piece: _Piece[Any], result: Any) -> None:
    if isinstance(result, _Refused):
        piece.future.set_exception(result.error)
    else:
        piece.future.set_result(result)
