"""Whether a class can be saved and restored, tried out before an experiment is."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgumentType, LuthierError
from luthier.worker.trainable import Trainable

if TYPE_CHECKING:
    from collections.abc import Mapping


def validate_save_restore(
    trainable_cls: type[Trainable],
    config: Mapping[str, Any] | None = None,
    num_gpus: int = 0,  # noqa: ARG001 (Ray Tune's)
) -> bool:
    """Train a class for a step, save it, restore it into a new one, and train that.

    Args:
        trainable_cls: a subclass of ``Trainable``.
        config: what to build it with.
        num_gpus: accepted.

    Raises:
        BadArgumentType: it is no such class.
        LuthierError: what was restored does not go on where the other one was saved.

    >>> class Counter(Trainable):
    ...     def step(self):
    ...         return {"loss": 1}
    ...     def save_checkpoint(self, directory):
    ...         return {}
    ...     def load_checkpoint(self, state):
    ...         pass
    >>> validate_save_restore(Counter)
    True
    """
    if not (isinstance(trainable_cls, type) and issubclass(trainable_cls, Trainable)):
        raise BadArgumentType("trainable_cls", trainable_cls, "a subclass of Trainable")
    first, second = (trainable_cls(config=dict(config or {})) for _ in range(2))
    try:
        first.train()
        with tempfile.TemporaryDirectory() as folder:
            second.restore(first.save(folder))
            went_on = second.train()["training_iteration"]
    finally:
        first.stop()
        second.stop()
    if went_on != 2:  # noqa: PLR2004 (one before it was saved, one after)
        msg = f"{trainable_cls.__name__} goes on at iteration {went_on} after it was saved at 1 and restored"
        raise LuthierError(msg)
    return True
