"""Classes that a scheduler restarts must be able to save themselves."""

from __future__ import annotations

from typing import Any

from luthier.core.errors import BadArgument


def check_saves(trainable: Any, who: str) -> None:
    """See that *trainable*, if it is a class, can be saved and restored.

    Raises:
        BadArgument: it cannot: *who* has it go on from checkpoints.
    """
    from luthier.worker.trainable import Trainable

    if not isinstance(trainable, type) or not issubclass(trainable, Trainable):
        return
    for name in ("save_checkpoint", "load_checkpoint"):
        if getattr(trainable, name) is getattr(Trainable, name):
            wanted = f"a class that defines {name}()"
            raise BadArgument("trainable", trainable, wanted, f"{who} has trials go on from checkpoints")
