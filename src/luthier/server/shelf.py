"""The shelf: the bytes of files that runs upload, each under its SHA-256 in the server's directory."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import re
import shutil
import tempfile
from typing import IO, TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from luthier.core.errors import BadArgument, LuthierError
from luthier.server.tables import artifacts, files

if TYPE_CHECKING:
    from collections.abc import AsyncIterable
    from pathlib import Path

    from sqlalchemy import Connection

LONGEST_PATH = 500
LONGEST_NAME = 200
SPARE = 64 << 20  # bytes of the disk that files leave to the database
FORGOTTEN_S = 3600.0  # what nobody has written to for so long will never be whole
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_OF_ARTIFACT = re.compile(r"artifacts/([0-9a-f]{16})/.+")


class NoRoom(LuthierError):
    """There is no room on the disk for what was to be kept; none of it was."""


class Sealed(LuthierError):
    """A file is part of what must not change any more."""


class Stored(NamedTuple):
    """What was put on the shelf."""

    sha256: str
    size: int  # bytes


class Shelf:
    """Keeps bytes.

    Args:
        directory: where; made when first needed, for its owner's eyes alone.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._tidied = 0.0

    def make(self) -> None:
        """Make the directory, if it is not there."""
        self._directory.parent.mkdir(parents=True, exist_ok=True)
        self._directory.mkdir(exist_ok=True, mode=0o700)

    def room(self, wanted: int = 0) -> None:
        """See whether there is room for *wanted* bytes.

        Raises:
            NoRoom: there is not.
        """
        self.make()
        if shutil.disk_usage(self._directory).free < wanted + SPARE:
            raise NoRoom(f"the server's disk has no room for {f'{wanted / 1e6:.1f} MB' if wanted else 'files'}")

    def tidy(self, now: float) -> None:
        """Remove, now and then, what was left half way by a server that was killed."""
        if now - self._tidied < FORGOTTEN_S / 4:
            return
        self._tidied = now
        for path in (*self._directory.glob(".new-*"), *self._directory.glob("??/.new-*")):
            with contextlib.suppress(FileNotFoundError):
                if now - path.stat().st_mtime > FORGOTTEN_S:
                    path.unlink()

    async def put(self, chunks: AsyncIterable[bytes], expected: int = 0) -> Stored:
        """Keep what *chunks* hold, wholly or not at all; the same bytes take room once.

        Args:
            chunks: of bytes.
            expected: how many bytes there will be, where that is known.

        Raises:
            NoRoom: there is no room for them.
        """
        self.room(expected)
        try:
            return await self._put(chunks)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            why = os.strerror(error.errno).lower()
            raise NoRoom(f"the server has no room for it ({why}); nothing of it was kept") from error

    async def _put(self, chunks: AsyncIterable[bytes]) -> Stored:
        digest, size = hashlib.sha256(), 0
        descriptor, path = tempfile.mkstemp(dir=self._directory, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                async for chunk in chunks:
                    file.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                await asyncio.to_thread(_settle, file)  # a slow disk is to keep nobody else waiting
            place = self.place(digest.hexdigest())
            place.parent.mkdir(exist_ok=True, mode=0o700)
            os.replace(path, place)
        except BaseException:
            os.unlink(path)
            raise
        return Stored(digest.hexdigest(), size)

    def place(self, sha256: str) -> Path:
        """Return where bytes of that digest lie."""
        return self._directory / sha256[:2] / sha256


def _settle(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def keep(connection: Connection, run: str, path: str, stored: Stored, now: float) -> None:
    """Write down that *run* uploaded what was *stored*; what had that path before is replaced.

    Raises:
        Sealed: it would change a version of an artifact that is whole.
    """
    here = (files.c.run_id == run, files.c.path == path)
    of_artifact = _OF_ARTIFACT.fullmatch(path)
    if of_artifact is not None:
        whole = sa.select(artifacts.c.id).where(
            artifacts.c.id == of_artifact[1], artifacts.c.run_id == run, artifacts.c.version.is_not(None)
        )
        had = connection.execute(sa.select(files.c.sha256).where(*here)).scalar()
        if had != stored.sha256 and connection.execute(whole).one_or_none() is not None:
            raise Sealed("it belongs to an artifact that is whole: log another version")
    values = {"size": stored.size, "sha256": stored.sha256, "at": now}
    if connection.execute(sa.update(files).where(*here).values(**values)).rowcount == 0:
        connection.execute(sa.insert(files).values(run_id=run, path=path, **values))


def checked(path: str) -> str:
    """Return *path* if it is a relative one that stays where it is.

    Raises:
        BadArgument: it is not.

    >>> checked("checkpoints/1-0.zip")
    'checkpoints/1-0.zip'
    >>> checked("../key")
    Traceback (most recent call last):
        ...
    luthier.core.errors.BadArgument: path='../key' cannot be used: give names joined by /, none of them '.' or '..'.
    """
    parts = path.split("/")
    odd = any(part in {"", ".", ".."} or len(part.encode()) > LONGEST_NAME or "\\" in part for part in parts)
    if odd or not path.isprintable() or len(path) > LONGEST_PATH:
        raise BadArgument("path", path[:LONGEST_PATH], "names joined by /, none of them '.' or '..'")
    return path
