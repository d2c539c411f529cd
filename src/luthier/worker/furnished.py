"""Trainables that come with something: objects, or a request for resources."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgumentType
from luthier.worker.trainable import Trainable

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.worker.parcel import Parcel

_TRAINABLE = "a function of a config, or a subclass of Trainable"


class Furnished:
    """A function with objects that it gets as keyword arguments, and with resources that it asks for."""

    def __init__(self, function: Callable[..., Any], parcel: Parcel | None = None, resources: object = None) -> None:
        functools.update_wrapper(self, function)  # its name, its text, and the resources that it asked for so far
        self.__name__ = getattr(function, "__name__", None) or type(getattr(function, "func", function)).__name__
        self._function, self._parcel = function, parcel
        if resources is not None:
            self._resources = resources
        if parcel is not None:
            self.__signature__ = _remaining(function, parcel)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        if self._parcel is None:
            return self._function(*args, **kwargs)
        return self._function(*args, **{**self._parcel.open(), **kwargs})

    def __repr__(self) -> str:
        return f"<{self.__name__}, furnished>"


def subclass(cls: type, body: dict[str, Any]) -> type:
    """Return a subclass of *cls* that goes by the same name, with *body* in it."""
    names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls.__name__, (cls,), {**names, **body})


def check_furnishable(trainable: object, function: str) -> None:
    """Raise BadArgument unless *trainable* is one; *function* is what refuses it."""
    if not callable(trainable) or (inspect.isclass(trainable) and not issubclass(trainable, Trainable)):
        raise BadArgumentType("trainable", trainable, _TRAINABLE, f"{function}() is for trainables")


def _remaining(function: Callable[..., Any], parcel: Parcel) -> inspect.Signature | None:
    """Return the signature of *function* without what *parcel* gives; None where it has none."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    left = [p for name, p in signature.parameters.items() if name not in parcel.open()]
    return signature.replace(parameters=left)
