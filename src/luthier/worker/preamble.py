"""What a fresh process is told before anything else: where modules are, and the trainable."""

from __future__ import annotations

import os
import sys
from typing import Any

import msgspec
from msgspec.msgpack import Decoder

from luthier.worker.frames import HEAD, frame_of

BOOT = os.path.join(os.path.dirname(__file__), "boot.py")


class Preamble(msgspec.Struct, frozen=True):
    """The driver's surroundings, and what it wants to run.

    Attributes:
        argv: the driver's ``sys.argv``.
        main: file of the driver's ``__main__``; empty where it has none.
        trainable: pickled by cloudpickle; empty where it is not wanted.
        reuse: whether a process takes another assignment after its first.
        flags: options of the driver's interpreter, for those that are executed anew.
    """

    argv: list[str]
    main: str
    trainable: bytes
    reuse: bool
    flags: list[str] = []


def encode_preamble(preamble: Preamble, path: list[str]) -> bytes:
    """Return two frames: *path* (to be the module search path before anything is imported), and *preamble*."""
    folders = "\0".join(entry for entry in path if isinstance(entry, str)).encode("utf-8", "surrogateescape")
    return len(folders).to_bytes(HEAD, "little") + folders + bytes(frame_of(preamble))


def enter(payload: bytes) -> Preamble:
    """Take on the surroundings of the driver, as its preamble (the second frame) tells them."""
    preamble = Decoder(Preamble).decode(payload)
    sys.argv[:] = preamble.argv
    main = sys.modules["__main__"]
    if preamble.main:
        main.__file__ = preamble.main
    elif hasattr(main, "__file__"):
        del main.__file__
    return preamble


def load(preamble: Preamble) -> Any:
    """Return the trainable, ready to be run.  Raises whatever its modules raise when they are imported."""
    import pickle

    trainable = pickle.loads(preamble.trainable)
    _populate_main(trainable)
    return trainable


def _populate_main(trainable: object) -> None:
    """Let ``__main__`` hold what the trainable's own file defines.

    What a script defines itself travels by value, and plain pickle (``torch.save(model)`` in a trial) looks for such
    classes in ``__main__``.
    """
    main = sys.modules["__main__"].__dict__
    kind = trainable if isinstance(trainable, type) else type(trainable)
    for thing in (trainable, *vars(kind).values()):
        function = getattr(thing, "__func__", thing)
        if getattr(function, "__module__", "") == "__main__":
            for name, value in getattr(function, "__globals__", {}).items():
                if not (name.startswith("__") and name.endswith("__")):
                    main.setdefault(name, value)
    if getattr(kind, "__module__", "") == "__main__":
        main.setdefault(kind.__name__, kind)
