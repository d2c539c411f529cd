"""A checkpoint: a directory, on this machine or elsewhere."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.checkpoints.copying import copy_tree
from luthier.core.errors import BadArgumentType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

METADATA_FILE = ".metadata.json"
DICT_FILE = "dict_checkpoint.pkl"  # what a dict was pickled into


class Checkpoint:
    """A reference to a directory that holds the state of a training.

    It does not own the directory: dropping the object deletes nothing.  Two are equal if they name the same directory
    of the same file system.  It may be pickled and sent to another process.

    Args:
        path: a local directory, or a URL that fsspec understands (``s3://bucket/folder``).
        filesystem: the fsspec file system that *path* lies on; found from *path* where None.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint.from_directory(folder)
    ...     checkpoint.set_metadata({"epoch": 3})
    ...     checkpoint.get_metadata()
    {'epoch': 3}
    """

    def __init__(self, path: str | os.PathLike[str], filesystem: Any = None) -> None:
        if not isinstance(path, str | os.PathLike):
            raise BadArgumentType("path", path, "the path of a directory")
        self._filesystem = filesystem
        text = os.fspath(path)
        if filesystem is None and "://" in text:
            from fsspec.core import url_to_fs

            self._filesystem, text = url_to_fs(text)
        if type(self._filesystem).__module__.startswith("pyarrow."):
            from fsspec.implementations.arrow import ArrowFSWrapper

            self._filesystem = ArrowFSWrapper(self._filesystem)
        if self._filesystem is not None and _is_local(self._filesystem):
            self._filesystem = None
        if self._filesystem is None:
            text = os.path.abspath(os.path.expanduser(text) if text.startswith("~") else text)
        self.path = text

    @property
    def filesystem(self) -> Any:
        """The fsspec file system that the directory lies on."""
        if self._filesystem is not None:
            return self._filesystem
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem()

    @property
    def local_path(self) -> str | None:
        """The directory if it lies on this machine, else None."""
        return self.path if self._filesystem is None else None

    @classmethod
    def from_directory(cls, path: str | os.PathLike[str]) -> Checkpoint:
        """Return the checkpoint that is the local directory *path*; nothing is copied."""
        return cls(path)

    def to_directory(self, path: str | os.PathLike[str] | None = None) -> str:
        """Copy it into the local directory *path* (a fresh temporary one where None), and return that.

        Raises:
            FileNotFoundError: the checkpoint is gone.
        """
        if path is None:
            target = tempfile.mkdtemp(prefix="luthier_checkpoint_")
        else:
            target = os.path.abspath(Path(path).expanduser())
        if self._filesystem is not None:
            if not self._filesystem.exists(self.path):
                raise FileNotFoundError(f"the checkpoint {self!r} is gone")
            Path(target).mkdir(parents=True, exist_ok=True)
            self._filesystem.get(self.path.rstrip("/") + "/", target, recursive=True)
        else:
            if not Path(self.path).is_dir():
                raise FileNotFoundError(f"the checkpoint {self!r} is gone")
            copy_tree(self.path, target)
        return target

    @contextlib.contextmanager
    def as_directory(self) -> Iterator[str]:
        """Give its files as a local directory, which is only to be read.

        A local checkpoint is given as it stands; one from elsewhere is fetched, and the copy deleted in the end.
        """
        if self._filesystem is None:
            if not Path(self.path).is_dir():
                raise FileNotFoundError(f"the checkpoint {self!r} is gone")
            yield self.path
            return
        copy = self.to_directory()
        try:
            yield copy
        finally:
            shutil.rmtree(copy, ignore_errors=True)

    # -- metadata: a JSON object beside the files ----------------------------------------------------------------------
    def get_metadata(self) -> dict[str, Any]:
        """Return what :meth:`set_metadata` stored; empty where nothing was."""
        try:
            if self._filesystem is None:
                text = Path(self.path, METADATA_FILE).read_bytes()
            else:
                text = self._filesystem.cat_file(f"{self.path.rstrip('/')}/{METADATA_FILE}")
        except FileNotFoundError:
            return {}
        found: dict[str, Any] = json.loads(text)
        return found

    def set_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Store *metadata*, which JSON must be able to say, in place of what there was."""
        text = json.dumps(metadata).encode()
        if self._filesystem is not None:
            self._filesystem.pipe_file(f"{self.path.rstrip('/')}/{METADATA_FILE}", text)
            return
        handle, name = tempfile.mkstemp(prefix=METADATA_FILE, dir=self.path)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text)
            Path(name).replace(Path(self.path, METADATA_FILE))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def update_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Add *metadata* to what there is."""
        self.set_metadata({**self.get_metadata(), **metadata})

    # -- dicts: the older way ------------------------------------------------------------------------------------------
    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Checkpoint:
        """Return a checkpoint that holds *data*, pickled, in a temporary local directory.

        The directory lives as long as the returned object.  Reporting the checkpoint copies it to where it stays.
        """
        if not isinstance(data, dict):
            raise BadArgumentType("data", data, "a dict")
        folder = tempfile.mkdtemp(prefix="luthier_checkpoint_")
        checkpoint = cls(folder)
        weakref.finalize(checkpoint, _remove, folder, os.getpid())
        write_dict(data, folder)
        return checkpoint

    def to_dict(self) -> dict[str, Any]:
        """Return the dict that the checkpoint was made of.

        Raises:
            ValueError: it was not made of a dict.
        """
        with self.as_directory() as folder:
            found = read_dict(folder)
        if found is None:
            raise ValueError(f"{self!r} holds no dict: use as_directory() or to_directory() to read its files")
        return found

    # -- being a value -------------------------------------------------------------------------------------------------
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Checkpoint):
            return NotImplemented
        return self.path == other.path and bool(self._filesystem == other._filesystem)

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        kind = "local" if self._filesystem is None else type(self._filesystem).__name__
        return f"Checkpoint(filesystem={kind}, path={self.path})"

    def __fspath__(self) -> str:
        raise TypeError("a Checkpoint is no path: use as_directory() or to_directory()")


def write_dict(data: dict[str, Any], folder: str) -> None:
    """Pickle *data* into *folder*."""
    import cloudpickle

    Path(folder, DICT_FILE).write_bytes(cloudpickle.dumps(data))


def read_dict(folder: str) -> dict[str, Any] | None:
    """Return the dict that was pickled into *folder*, or None where none was."""
    try:
        pickled = Path(folder, DICT_FILE).read_bytes()
    except FileNotFoundError:
        return None
    found: dict[str, Any] = pickle.loads(pickled)
    return found


def _is_local(filesystem: Any) -> bool:
    protocol = getattr(filesystem, "protocol", ())
    return "file" in ((protocol,) if isinstance(protocol, str) else protocol)


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a forked child
        shutil.rmtree(folder, ignore_errors=True)
