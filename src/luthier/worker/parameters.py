"""Objects of any size that all trials share."""

from __future__ import annotations

import inspect
from typing import Any

from luthier.core.errors import BadArgument
from luthier.worker.furnished import Furnished, check_furnishable, subclass
from luthier.worker.parcel import Parcel


def with_parameters(trainable: Any, **kwargs: Any) -> Any:
    """Return *trainable* with objects of any size that all its trials share.

    A function gets them as keyword arguments, a class as keyword arguments of its ``setup``.  They are pickled once,
    when the first process needs them, and large arrays in them are mapped and not copied: treat them as read-only
    (arrays raise if you do not).  In the inline executor trials get the very objects.  Keep the returned trainable for
    as long as trials run: the file behind it goes when it does.

    Args:
        trainable: a function or a subclass of Trainable; it stays as it is.
        kwargs: name to object.

    Raises:
        BadArgument: *trainable* is neither, or has no parameter of such a name.

    >>> def trainable(config, table):
    ...     return {"loss": config["x"] + sum(table)}
    >>> with_parameters(trainable, table=[1, 2])({"x": 3})
    {'loss': 6}
    """
    check_furnishable(trainable, "with_parameters")
    parcel = Parcel(kwargs)
    if not inspect.isclass(trainable):
        _check_names(trainable, kwargs, (None,))
        return Furnished(trainable, parcel)
    cls: Any = trainable
    _check_names(cls.setup, kwargs, (None, None))

    def setup(self: Any, config: dict[str, Any], **more: Any) -> None:
        super(furnished, self).setup(config, **{**parcel.open(), **more})

    furnished: Any = subclass(trainable, {"setup": setup})
    return furnished


def _check_names(function: Any, given: dict[str, Any], leading: tuple[None, ...]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # built in: nobody knows
    try:
        signature.bind_partial(*leading, **given)
    except TypeError as error:
        name = getattr(function, "__qualname__", repr(function))
        raise BadArgument("kwargs", sorted(given), f"names of parameters of {name}{signature}", str(error)) from None
