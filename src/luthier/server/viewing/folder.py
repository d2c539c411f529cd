"""A directory of experiments, followed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import sqlalchemy as sa

from luthier.core.errors import Conflict, LuthierError
from luthier.server.database import writing
from luthier.server.tables import projects
from luthier.server.viewing.copied import Copied
from luthier.store.card import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVERY_S = 1.0
_RARELY = 5  # looks, after which the directory is searched, and what does not run is looked at too
_DEPTH = 3


class Folder:
    """Copies all experiments below a directory into a database, and goes on doing so.

    Args:
        database: one of its own, with tables.
        directory: an experiment's, or one above.

    Attributes:
        unreadable: what is wrong with experiments that cannot be shown, by their directories.
    """

    def __init__(self, database: sa.Engine, directory: Path) -> None:
        self._database, self._directory = database, directory.resolve()
        self._copied: dict[Path, Copied] = {}
        self.unreadable: dict[Path, str] = {}
        self._looks, self._ending = 0, threading.Event()
        self._thread: threading.Thread | None = None
        name = (self._directory.parent if _is_one(self._directory) else self._directory).name or "experiments"
        values = {"id": 1, "name": name, "description": str(directory), "created_at": self._directory.stat().st_mtime}
        with writing(database) as connection:
            connection.execute(sa.insert(projects).values(values))

    def look(self) -> None:
        """Copy what is new."""
        rarely = self._looks % _RARELY == 0
        self._looks += 1
        if rarely:
            for path in _experiments(self._directory, _DEPTH):
                if path not in self._copied:
                    self._open(path)
        for path, copied in list(self._copied.items()):
            if self._ending.is_set():
                return
            if rarely or copied.running:
                self._follow(path, copied)

    def _open(self, path: Path) -> None:
        name = path.name if path == self._directory else path.relative_to(self._directory).as_posix()
        try:
            self._copied[path] = Copied(self._database, path, name, 1)
            self.unreadable.pop(path, None)
        except (LuthierError, OSError, ValueError) as error:
            self.unreadable[path] = str(error)

    def _follow(self, path: Path, copied: Copied) -> None:
        try:
            copied.look()
        except Conflict:
            copied.begin()
        except (LuthierError, OSError, ValueError, LookupError) as error:
            self.unreadable[path] = f"{type(error).__name__}: {error}"

    def start(self) -> None:
        """Go on looking in a thread, each second."""
        self._thread = threading.Thread(target=self._run, name="luthier-ui", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns once the thread has ended."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(10)

    def _run(self) -> None:
        while not self._ending.wait(EVERY_S):
            self.look()


def _is_one(path: Path) -> bool:
    return (path / FILE_NAME).is_file()


def _experiments(path: Path, depth: int) -> Iterator[Path]:
    if _is_one(path):
        yield path
        return
    if depth == 0:
        return
    try:
        below = sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
    except OSError:
        return
    for each in below:
        yield from _experiments(each, depth - 1)
