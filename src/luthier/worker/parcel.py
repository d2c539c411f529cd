"""Large objects that many trials need: pickled once, mapped into every process that asks."""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import shutil
import struct
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALL = 64 << 10  # bytes up to which objects travel with the trainable itself
FOLDER = "LUTHIER_PARCELS"  # variable: where files lie whose names are relative
_ALIGN = 64  # what numpy and vector units like
_HEAD = struct.Struct("<8sQQ")  # magic, length of the pickle, number of buffers
_MAGIC = b"luthier1"
_opened: dict[str, dict[str, Any]] = {}  # by file, in this process
_owned: weakref.WeakValueDictionary[str, Parcel] = weakref.WeakValueDictionary()  # by file: those that wrote them
_carriers: list[Callable[[dict[str, Any]], str]] = []  # who takes objects elsewhere, the latest last


class Parcel:
    """Named objects that can be sent to other processes cheaply.

    Here, :meth:`open` gives the very objects.  When the parcel is first pickled, they are written into one file of a
    temporary directory, large buffers (arrays) beside the pickle and not in it; who unpickles the parcel maps it, so
    that all processes share one copy, and arrays in it are read-only.  The file goes when the parcel does, at the
    latest at the exit of this process.

    >>> Parcel({"x": 1}).open()
    {'x': 1}
    """

    def __init__(self, objects: dict[str, Any]) -> None:
        self._objects: dict[str, Any] | None = objects
        self._path: str | None = None
        self._packed: bytes | None = None

    def open(self) -> dict[str, Any]:
        """Return the objects by name; once per process they are loaded, then kept."""
        if self._objects is not None:
            return self._objects
        if self._packed is not None:
            self._objects = pickle.loads(self._packed)
        else:
            assert self._path is not None  # noqa: S101 (for the type checker)
            if self._path not in _opened:
                _opened[self._path] = _load(os.path.join(os.environ.get(FOLDER, ""), self._path))
            self._objects = _opened[self._path]
        assert self._objects is not None  # noqa: S101 (for the type checker)
        return self._objects

    def __reduce__(self) -> tuple[Any, ...]:
        if _carriers:
            return _received, (_carriers[-1](self.open()), None)
        if self._path is None and self._packed is None:
            self._pack()
        return _received, (self._path, self._packed)

    def _pack(self) -> None:
        import cloudpickle

        assert self._objects is not None  # noqa: S101 (for the type checker)
        pickled, raw = _taken_apart(self._objects)
        if len(pickled) + sum(view.nbytes for view in raw) <= SMALL:
            self._packed = cloudpickle.dumps(self._objects, protocol=5)
            return
        folder = tempfile.mkdtemp(prefix="luthier_parameters_")
        weakref.finalize(self, _remove, folder, os.getpid())
        path = Path(folder, "parcel")
        _write(path, pickled, raw)
        self._path = str(path)
        _owned[self._path] = self


@contextlib.contextmanager
def carried(carrier: Callable[[dict[str, Any]], str]) -> Iterator[None]:
    """Let *carrier* take the objects of parcels that are pickled meanwhile, and return names for them.

    Who unpickles such a parcel must have been given the objects by :func:`provide` before.
    """
    _carriers.append(carrier)
    try:
        yield
    finally:
        _carriers.pop()


def provide(name: str, objects: dict[str, Any]) -> None:
    """Let parcels in this process that were pickled under *name* hold *objects*."""
    _opened[name] = objects


def write_parcel(path: Path, objects: dict[str, Any]) -> None:
    """Write *objects* to a file: a parcel whose name that is under ``$LUTHIER_PARCELS``, in a process, opens it."""
    _write(path, *_taken_apart(objects))


def _taken_apart(objects: dict[str, Any]) -> tuple[bytes, list[memoryview]]:
    import cloudpickle

    buffers: list[pickle.PickleBuffer] = []
    pickled = cloudpickle.dumps(objects, protocol=5, buffer_callback=buffers.append)
    return pickled, [buffer.raw() for buffer in buffers]


def _received(path: str | None, packed: bytes | None) -> Parcel:
    if path is not None and (owner := _owned.get(path)) is not None:
        return owner  # the file lives as long as it does
    parcel = Parcel({})
    parcel._objects, parcel._path, parcel._packed = None, path, packed  # noqa: SLF001 (its own class)
    return parcel


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGN) * _ALIGN


def _write(path: Path, pickled: bytes, buffers: list[memoryview]) -> None:
    sizes = struct.pack(f"<{len(buffers)}Q", *(view.nbytes for view in buffers))
    with path.open("wb") as file:
        file.write(_HEAD.pack(_MAGIC, len(pickled), len(buffers)) + sizes + pickled)
        for view in buffers:
            file.seek(_aligned(file.tell()))
            file.write(view)
        file.truncate()


def _load(path: str) -> dict[str, Any]:
    with Path(path).open("rb") as file:
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    _magic, length, count = _HEAD.unpack_from(view)
    start = _HEAD.size + 8 * count
    sizes = struct.unpack_from(f"<{count}Q", view, _HEAD.size)
    buffers, offset = [], start + length
    for size in sizes:
        offset = _aligned(offset)
        buffers.append(view[offset : offset + size])
        offset += size
    objects: dict[str, Any] = pickle.loads(view[start : start + length], buffers=buffers)
    return objects


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a forked child
        shutil.rmtree(folder, ignore_errors=True)
