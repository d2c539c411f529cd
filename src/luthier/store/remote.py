"""A folder somewhere else: on any file system that fsspec knows."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Here a folder is nothing but the beginning of names, and a file is there wholly or not at all.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "oci", "r2", "memory"})
_EXTRAS = {"s3": "luthier[s3]", "s3a": "luthier[s3]", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
_PASSWORD = re.compile(r"(?<=://)([^/@]*):([^/@]*)@")


class Remote:
    """A folder on a file system that is not this machine's.

    Errors are those of the file system.  Nothing of how to get in is kept in a text or a file.

    Args:
        filesystem: an fsspec file system.
        root: the folder as that file system says it.
        url: the folder for people, and for a later process.

    >>> remote = Remote.at("memory://bucket/results")
    >>> remote.write("a/b.txt", b"hello"); remote.child("a").read("b.txt"), remote.sizes("a")
    (b'hello', {'a/b.txt': 5})
    """

    def __init__(self, filesystem: Any, root: str, url: str) -> None:
        self.filesystem, self.root, self.url = filesystem, root.rstrip("/"), url.rstrip("/")
        spoken = filesystem.protocol
        self.protocols = frozenset((spoken,) if isinstance(spoken, str) else spoken)
        self._flat = bool(self.protocols & _OBJECT_STORES)
        self._made: set[str] = set()

    @classmethod
    def at(cls, url: str, filesystem: Any = None, argument: str = "storage_path") -> Remote:
        """Return the folder at *url*.

        Args:
            url: as fsspec understands it; where *filesystem* is given, what comes before the path may be left out.
            filesystem: how to get there, if *url* does not tell it all; of fsspec or of pyarrow.
            argument: what the user calls *url*.

        Raises:
            BadArgument: no file system of that kind is installed, or *url* holds a password.
        """
        check_url(url, argument)
        if filesystem is not None:
            filesystem = filesystem_of(filesystem)
            root = str(filesystem._strip_protocol(url))  # noqa: SLF001 (fsspec's name for what its implementers use)
            named = url if "://" in url else f"{_name_of(filesystem)}://{root.lstrip('/')}"
            return cls(filesystem, root, named)
        from fsspec.core import url_to_fs

        try:
            found, root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            scheme = url.partition("://")[0]
            package = _EXTRAS.get(scheme)
            wanted = f"pip install '{package}' first" if package else "a path, or a URL that fsspec understands"
            raise BadArgument(argument, url, wanted, str(error)) from error
        return cls(found, root, url)

    @property
    def is_local(self) -> bool:
        """Whether it is a plain directory of this machine after all."""
        return "file" in self.protocols or getattr(self.filesystem, "type_name", "") == "local"

    def child(self, name: str) -> Remote:
        """Return the folder *name* inside this one."""
        return type(self)(self.filesystem, self.path(name), f"{self.url}/{name}")

    def path(self, name: str) -> str:
        """Return what the file system calls *name*."""
        return f"{self.root}/{name}" if name else self.root

    # -- reading -------------------------------------------------------------------------------------------------------
    def exists(self, name: str) -> bool:
        """Return whether the file *name* is there now, whatever was seen before."""
        self.filesystem.invalidate_cache()
        return bool(self.filesystem.exists(self.path(name)))

    def read(self, name: str) -> bytes:
        """Return what is in the file *name*.

        Raises:
            FileNotFoundError: there is none.
        """
        found: bytes = self.filesystem.cat_file(self.path(name))
        return found

    def read_those(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return what is in the files *names*, several at a time where that can be; those that cannot be read lack."""
        if not names:
            return {}
        start = len(self.root) + 1
        paths = [self.path(name) for name in names]
        if len(paths) == 1:  # for one, some file systems return its content alone
            try:
                return {names[0]: self.read(names[0])}
            except Exception:  # noqa: BLE001 (each file system raises errors of its own)
                return {}
        found = self.filesystem.cat(paths, on_error="omit")
        return {path[start:]: text for path, text in found.items()}

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Return the names of all files below *folder*, with their sizes in bytes; none where it is not there."""
        self.filesystem.invalidate_cache()
        try:
            found = self.filesystem.find(self.path(folder), detail=True)
        except FileNotFoundError:
            return {}
        start = len(self.root) + 1
        return {path[start:]: int(about["size"] or 0) for path, about in found.items()}

    def folders(self) -> list[str]:
        """Return the names of the folders directly in this one."""
        self.filesystem.invalidate_cache()
        found = self.filesystem.ls(self.root, detail=True)
        return sorted(about["name"].rstrip("/").rpartition("/")[2] for about in found if about["type"] == "directory")

    def files(self, folder: str) -> list[str]:
        """Return the names of the files directly in *folder*; none where it is not there."""
        self.filesystem.invalidate_cache()
        try:
            found = self.filesystem.ls(self.path(folder), detail=True)
        except FileNotFoundError:
            return []
        start = len(self.root) + 1
        return sorted(about["name"][start:] for about in found if about["type"] == "file")

    def get(self, files: Sequence[tuple[str, str]]) -> None:
        """Fetch files, each ``(name, local path)``; directories are made."""
        if not files:
            return
        for folder in {os.path.dirname(local) for _, local in files}:
            os.makedirs(folder, exist_ok=True)
        self.filesystem.get([self.path(name) for name, _ in files], [local for _, local in files])

    # -- writing -------------------------------------------------------------------------------------------------------
    def write(self, name: str, text: bytes) -> None:
        """Make *text* all that is in the file *name*."""
        path = self.path(name)
        self._make_folders([path])
        self.filesystem.pipe_file(path, text)

    def create(self, name: str, text: bytes) -> bool:
        """Write the file *name* if it is not there; return whether it was not, as far as the file system heeds that."""
        path = self.path(name)
        self._make_folders([path])
        try:
            self.filesystem.pipe_file(path, text, mode="create")
        except FileExistsError:
            return False
        except (TypeError, ValueError, NotImplementedError):  # it cannot make a difference
            self.filesystem.pipe_file(path, text)
        except OSError as error:
            if "PreconditionFailed" not in f"{error!r} {error.__cause__!r}":  # what some say instead
                raise
            return False
        return True

    def put(self, files: Sequence[tuple[str, str]]) -> None:
        """Upload files, each ``(local path, name)``, several at a time where the file system can."""
        if not files:
            return
        paths = [self.path(name) for _, name in files]
        self._make_folders(paths)
        self.filesystem.put([local for local, _ in files], paths)

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; those that are gone already are passed over."""
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                self.filesystem.rm_file(self.path(name))

    def delete_folder(self, folder: str) -> None:
        """Delete all that is below *folder*; a file system that keeps empty folders keeps it, empty."""
        self.delete(self.sizes(folder))
        if not self._flat:
            with contextlib.suppress(OSError, NotImplementedError):
                self.filesystem.rmdir(self.path(folder))

    def _make_folders(self, paths: Iterable[str]) -> None:
        if self._flat:  # and to ask for a folder may make a bucket
            return
        for folder in {path.rpartition("/")[0] for path in paths} - self._made:
            self.filesystem.makedirs(folder, exist_ok=True)
            self._made.add(folder)

    def __repr__(self) -> str:
        return f"Remote({self.url!r})"


def check_url(url: str, argument: str = "storage_path") -> None:
    """Refuse a URL with a password in it, without repeating it.

    Raises:
        BadArgument: it holds one.

    >>> check_url("ftp://me:secret@host/x")
    Traceback (most recent call last):
    luthier.core.errors.BadArgument: storage_path='ftp://***@host/x' cannot be used: a URL with a password would be ...
    """
    if _PASSWORD.search(url):
        raise BadArgument(
            argument,
            _PASSWORD.sub("***@", url),
            "storage_filesystem=fsspec.filesystem(...) beside it, of which nothing is written down",
            "a URL with a password would be written into files and messages",
        )


def filesystem_of(given: Any) -> Any:
    """Return *given* as a file system of fsspec's.

    Raises:
        BadArgument: it is none, and none of pyarrow's either.
    """
    from fsspec import AbstractFileSystem

    if type(given).__module__.startswith("pyarrow."):
        from fsspec.implementations.arrow import ArrowFSWrapper

        return ArrowFSWrapper(given)
    if isinstance(given, AbstractFileSystem):
        return given
    raise BadArgumentType(
        "storage_filesystem", given, "a file system of fsspec, e.g. fsspec.filesystem('s3'), or one of pyarrow.fs"
    )


def _name_of(filesystem: Any) -> str:
    named = getattr(filesystem, "type_name", None) or filesystem.protocol
    return named if isinstance(named, str) else str(named[0])
