"""``tuner.pkl``: what a restored experiment needs to know of how it was set up."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
from typing import TYPE_CHECKING, Any

from luthier.core.errors import NotAnExperiment, StoreFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("luthier")

FILE_NAME = "tuner.pkl"


def save(directory: str, parts: Mapping[str, Any]) -> list[str]:
    """Write *parts* into *directory*, each on its own; return the names of those that cannot be pickled.

    Raises:
        StoreFailed: it cannot be written there.
    """
    import cloudpickle

    kept: dict[str, bytes] = {}
    lost: list[str] = []
    for name, part in parts.items():
        try:
            kept[name] = cloudpickle.dumps(part)
        except Exception:  # noqa: BLE001 (whatever its __reduce__ raises: it cannot be kept)
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


def load(directory: str) -> dict[str, Any]:
    """Return the parts that :func:`save` kept in *directory*; those that no longer load are left out.

    Raises:
        NotAnExperiment: there is no such file.
    """
    path = os.path.join(directory, FILE_NAME)
    try:
        with open(path, "rb") as file:
            kept = pickle.load(file)
    except FileNotFoundError:
        msg = f"{directory} holds no {FILE_NAME}: give the directory that fit() printed, <storage_path>/<name>."
        raise NotAnExperiment(msg) from None
    parts: dict[str, Any] = {}
    for name, pickled in kept.items():
        try:
            parts[name] = pickle.loads(pickled)
        except Exception as error:  # noqa: BLE001 (a class that moved, say: the caller says what it misses)
            log.debug("%s of %s no longer loads: %s", name, path, error)
    return parts
