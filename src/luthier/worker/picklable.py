"""Pickling a trainable, or saying what in it cannot be pickled."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEP = 6  # steps from the trainable to the culprit


def pickled(trainable: Any) -> bytes:
    """Return *trainable* as bytes that a fresh process can load.

    Raises:
        BadArgument: it cannot be pickled; the text names what in it cannot.
    """
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(trainable))
    except Exception as error:
        raise BadArgument(
            "trainable",
            trainable,
            "a trainable that creates such things itself when it runs, or loads them there",
            f"{explain_unpicklable(trainable)} ({type(error).__name__}: {error})",
        ) from error


def explain_unpicklable(obj: Any) -> str:
    """Return in words what keeps *obj* from being pickled.

    >>> import threading
    >>> lock = threading.Lock()
    >>> explain_unpicklable(lambda config, guard=lock: config)
    "the lambda function has the default argument 'guard' (a _thread.lock), which cannot be pickled"
    """
    return f"{_name(obj)} {_path(obj, _DEEP, {id(obj)})}, which cannot be pickled"


def _path(obj: Any, depth: int, seen: set[int]) -> str:
    """Return the way from *obj* to the innermost thing that cannot be pickled."""
    for how, part in _parts(obj):
        if id(part) in seen or _can_be_pickled(part):
            continue
        step = f"{how} ({_kind(part)})"
        deeper = _path(part, depth - 1, {*seen, id(part)}) if depth and any(True for _ in _parts(part)) else ""
        return f"{step}, which {deeper}" if deeper else step
    return "is something" if depth == _DEEP else ""


def _parts(obj: Any) -> Iterator[tuple[str, Any]]:
    if inspect.ismethod(obj):
        yield "belongs to an object", obj.__self__
        obj = obj.__func__
    if inspect.isfunction(obj):
        yield from _parts_of_function(obj)
    elif inspect.isclass(obj):
        yield from _parts_of_class(obj)
    elif isinstance(obj, dict):
        for key, value in obj.items():
            yield f"holds [{key!r}]", value
    elif isinstance(obj, list | tuple | set | frozenset):
        for i, value in enumerate(obj):
            yield f"holds [{i}]", value
    else:
        yield from _parts_of_instance(obj)


def _parts_of_class(kind: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(kind).items():
        if name in ("__dict__", "__weakref__"):
            continue
        function = getattr(value, "__func__", getattr(value, "fget", value))
        if inspect.isfunction(function):
            for how, part in _parts_of_function(function):
                yield f"has the method {name!r}, which {how}", part
        else:
            yield f"has the attribute {name!r}", value


def _parts_of_instance(obj: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(obj, "func") and hasattr(obj, "keywords"):  # functools.partial
        yield "calls a function", obj.func
        for i, value in enumerate(obj.args):
            yield f"has the argument {i}", value
        for name, value in obj.keywords.items():
            yield f"has the argument {name!r}", value
    for name, value in getattr(obj, "__dict__", {}).items():
        yield f"has the attribute {name!r}", value
    if not inspect.isbuiltin(obj):
        yield "is of a class", type(obj)


def _parts_of_function(function: Any) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield f"uses the variable {name!r} of the function around it", cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for name in _global_names(function.__code__):
        if name in function.__globals__:
            yield f"uses the global {name!r}", function.__globals__[name]
    names = inspect.getfullargspec(function)
    for name, value in zip(reversed(names.args), reversed(function.__defaults__ or ()), strict=False):
        yield f"has the default argument {name!r}", value
    for name, value in (function.__kwdefaults__ or {}).items():
        yield f"has the default argument {name!r}", value
    for name, value in vars(function).items():
        yield f"has the attribute {name!r}", value


def _global_names(code: Any) -> list[str]:
    names = list(code.co_names)
    for constant in code.co_consts:  # functions inside it
        if inspect.iscode(constant):
            names += _global_names(constant)
    return list(dict.fromkeys(names))


def _can_be_pickled(obj: Any) -> bool:
    import cloudpickle

    try:
        cloudpickle.dumps(obj)
    except Exception:  # noqa: BLE001 (whatever a __reduce__ raises)
        return False
    return True


def _name(obj: Any) -> str:
    name = getattr(obj, "__name__", "")
    if name == "<lambda>":
        return "the lambda function"
    return name or f"the {type(obj).__name__}"


def _kind(obj: Any) -> str:
    if inspect.isfunction(obj) or inspect.ismethod(obj):
        return f"the function {obj.__name__}"
    if inspect.isclass(obj):
        return f"the class {obj.__name__}"
    kind = type(obj)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"a {name}"
