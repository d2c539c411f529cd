"""``tuner.pkl``: what a restored experiment needs to know of how it was set up.

It is the user's own file, of pickles: whoever can write to it can run code where the experiment is restored.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pickle
from typing import TYPE_CHECKING, Any

from luthier.core.errors import NotAnExperiment, StoreFailed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

log = logging.getLogger("luthier")

FILE_NAME = "tuner.pkl"
TRAINABLE = "trainable"  # only read where it is asked for: its modules may take seconds to import
LARGEST = 16 << 20  # bytes of a trainable that is kept


def save(directory: str, parts: Mapping[str, Any]) -> list[str]:
    """Write *parts* into *directory*, each on its own; return the names of those that cannot be pickled.

    Raises:
        StoreFailed: it cannot be written there.
    """
    kept: dict[str, bytes] = {}
    lost: list[str] = []
    for name, part in parts.items():
        try:
            kept[name] = _pickled(part, LARGEST if name == TRAINABLE else None)
        except Exception as error:  # noqa: BLE001 (whatever its __reduce__ raises: it cannot be kept)
            log.debug("%s cannot be kept: %s", name, error)
            lost.append(name)
    target, temporary = os.path.join(directory, FILE_NAME), os.path.join(directory, f".{FILE_NAME}.tmp")
    try:
        with open(temporary, "wb") as file:
            pickle.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise StoreFailed(
            f"{target} cannot be written: {error.strerror}. Give a storage path that you may write to and that "
            "has room."
        ) from error
    return lost


def load(directory: str, only: Collection[str] | None = None) -> dict[str, Any]:
    """Return the parts that :func:`save` kept in *directory*; those that no longer load are left out.

    Args:
        directory: the experiment's directory.
        only: the parts to load; all but the trainable where None.

    Raises:
        NotAnExperiment: there is no such file, or it is damaged.
    """
    path = os.path.join(directory, FILE_NAME)
    try:
        with open(path, "rb") as file:
            kept = pickle.load(file)
    except (FileNotFoundError, NotADirectoryError):
        msg = f"{directory} holds no {FILE_NAME}: give the directory that fit() printed, <storage_path>/<name>."
        raise NotAnExperiment(msg) from None
    except (OSError, EOFError, pickle.UnpicklingError, ValueError) as error:
        msg = f"{path} cannot be read: {type(error).__name__}: {error}"
        raise NotAnExperiment(msg) from error
    parts: dict[str, Any] = {}
    for name, pickled in kept.items():
        if name not in only if only is not None else name == TRAINABLE:
            continue
        try:
            parts[name] = pickle.loads(pickled)
        except Exception as error:  # noqa: BLE001 (a class that moved, say: the caller says what it misses)
            log.debug("%s of %s no longer loads: %s", name, path, error)
    return parts


class _Limited(io.BytesIO):
    def __init__(self, most: int | None) -> None:
        super().__init__()
        self._most = most

    def write(self, text: Any) -> int:
        if self._most is not None and self.tell() + memoryview(text).nbytes > self._most:
            msg = f"it is larger than {self._most} bytes"
            raise ValueError(msg)
        return super().write(text)


def _pickled(part: object, most: int | None) -> bytes:
    """Return *part* pickled, with all that it holds: parcels are written out, as their files go with their driver."""
    import cloudpickle

    from luthier.worker.parcel import Parcel

    class Whole(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, Parcel):
                return Parcel, (obj.open(),)
            return super().reducer_override(obj)

    file = _Limited(most)
    Whole(file, protocol=pickle.DEFAULT_PROTOCOL).dump(part)
    return file.getvalue()
