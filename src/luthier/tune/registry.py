"""Trainables by name."""

from __future__ import annotations

import functools
import inspect
import re
from typing import Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.error import TuneError

_TRAINABLES: dict[str, Any] = {}
_ENVIRONMENTS: dict[str, Any] = {}


def register_trainable(name: str, trainable: Any, warn: bool = True) -> None:  # noqa: ARG001 (Ray's)
    """Make *trainable* known as *name*, for ``Tuner("name")`` and ``tune.run("name")``.

    Raises:
        BadArgumentType: *trainable* is neither a function nor a ``Trainable`` class.

    >>> register_trainable("objective", lambda config: {"loss": config["x"]})
    """
    from luthier.worker.function import check_trainable

    if not isinstance(name, str):
        raise BadArgumentType("name", name, "a string")
    check_trainable(trainable)
    _TRAINABLES[name] = trainable


def register_env(name: str, creator: Any) -> None:
    """Make the environment creator known as *name* (kept for scripts that call it).

    >>> register_env("maze", lambda config: object())
    """
    if not callable(creator):
        raise BadArgumentType("creator", creator, "a function (config) -> environment")
    _ENVIRONMENTS[name] = creator


def resolve(trainable: Any) -> Any:
    """Return *trainable*, looked up if it is a name.

    Raises:
        TuneError: nothing was registered under that name.
    """
    if not isinstance(trainable, str):
        return trainable
    if trainable not in _TRAINABLES:
        known = ", ".join(sorted(_TRAINABLES)) or "none yet"
        msg = f"Unknown trainable: {trainable!r}. Registered with tune.register_trainable: {known}."
        raise TuneError(msg)
    return _TRAINABLES[trainable]


def get_trainable_cls(trainable_name: str) -> Any:
    """Return what was registered as *trainable_name*.

    Raises:
        TuneError: nothing was.

    >>> register_trainable("constant", lambda config: {"loss": 1})
    >>> get_trainable_cls("constant")({})
    {'loss': 1}
    """
    return resolve(trainable_name)


def trainable_name(trainable: Any) -> str:
    """Return a short name for *trainable* that can be part of a directory's name.

    >>> trainable_name(functools.partial(int, base=2))
    'int'
    """
    if isinstance(trainable, str):
        return _plain(trainable)
    while isinstance(trainable, functools.partial):
        trainable = trainable.func
    name = getattr(trainable, "__name__", None) or type(trainable).__name__
    return _plain(name)


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.")[:40] or "trainable"


def check(trainable: Any) -> None:
    """Refuse what cannot be a trainable, before anything starts.

    Raises:
        BadArgument: it is None, not callable, or takes the wrong arguments.
    """
    from luthier.worker.function import check_trainable

    if trainable is None:
        raise BadArgument("trainable", None, "a function of config, a Trainable class, or a registered name")
    if inspect.ismodule(trainable):
        raise BadArgumentType("trainable", trainable, "a function of config, or a Trainable class", "it is a module")
    check_trainable(trainable)
