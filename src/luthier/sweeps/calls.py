"""Calls as data: how a sweep's file says ``hp.uniform("width", 0, 20)`` without being code.

A call is a mapping with one key, the function's name with its module, and what it is called with: a list (in their
order), a mapping (by name), or ``{args: [...], kwargs: {...}}`` (both):

    hyperopt.hp.uniform: [width, 0, 20]
    tune.loguniform: {lower: 0.001, upper: 0.1}
    hyperopt.hp.uniform: {args: [width], kwargs: {low: 0, high: 20}}

All else stands for itself.  A constant that looks like a call is written as one of :data:`DICT`.
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DICT = "luthier.dict"  # ``{luthier.dict: {os.name: [posix]}}`` is the constant ``{"os.name": ["posix"]}``
DEEPEST, LARGEST = 60, 200_000  # levels of a file, and parts: one that names a part often may say more than it holds
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_MOST = 10_000  # options of a range that is written out
_WANTED = "what a file can say: text, numbers, True, False, None, and lists and dicts of these"


class Call:
    """A function's name, and what it is called with.

    >>> Call("tune.uniform", 0, 1)
    tune.uniform(0, 1)
    >>> encode(Call("tune.uniform", 0, upper=1))
    {'tune.uniform': {'args': [0], 'kwargs': {'upper': 1}}}
    """

    __slots__ = ("args", "kwargs", "name")

    def __init__(self, name: str, /, *args: Any, **kwargs: Any) -> None:
        self.name, self.args, self.kwargs = name, args, kwargs

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Call):
            return NotImplemented
        return (self.name, list(self.args), self.kwargs) == (other.name, list(other.args), other.kwargs)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        said = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        return f"{self.name}({', '.join(said)})"


def looks_like_call(value: object) -> bool:
    """Whether *value* is how a call is written.

    >>> looks_like_call({"tune.uniform": [0, 1]}), looks_like_call({"lr": [0, 1]}), looks_like_call({"a.b": 3})
    (True, False, False)
    """
    if not isinstance(value, dict) or len(value) != 1:
        return False
    ((name, given),) = value.items()
    return isinstance(name, str) and isinstance(given, (list, dict)) and _NAME.fullmatch(name) is not None


def encode(value: Any, where: str = "value", known: Callable[[Any], Any] | None = None) -> Any:
    """Return *value*, in which there may be calls at any depth, as a file can say it.

    Args:
        value: calls, dicts, lists, tuples (which become lists), text, numbers, numpy's too.
        where: what the error calls it.
        known: says what another kind of object is written as; it returns the object itself where it does not know.

    Raises:
        BadArgument: there is something in it that no file can say.

    >>> encode({"x": Call("tune.choice", [(1, 2), None]), "on": {"os.name": ["posix"]}})
    {'x': {'tune.choice': [[[1, 2], None]]}, 'on': {'luthier.dict': {'os.name': ['posix']}}}
    """
    return _encoded(value, where, known, 0)


def _encoded(value: Any, where: str, known: Callable[[Any], Any] | None, depth: int) -> Any:
    if depth > DEEPEST:
        why = "it is nested too deeply, or holds itself"
        raise BadArgument(where, value, f"at most {DEEPEST} levels", why)

    def inner(item: Any, place: str) -> Any:
        return _encoded(item, f"{where}{place}".lstrip("."), known, depth + 1)

    if known is not None:
        value = known(value)
    if isinstance(value, Call):
        return {value.name: _said(value, inner)}
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, dict):
        return _mapping(value, where, inner)
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=lambda item: (type(item).__name__, item))
    if isinstance(value, range) and len(value) > _MOST:
        raise BadArgument(where, value, "tune.randint or tune.qrandint", f"it has more than {_MOST} options to write")
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return inner(value.tolist(), "")
    if isinstance(value, (list, tuple, range)):
        return [inner(item, f"[{k}]") for k, item in enumerate(value)]
    if isinstance(value, str):  # enumerations and other kinds of text and numbers
        return str.__str__(value)
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    function = "a function cannot be written into a file, nor run from one" if callable(value) else ""
    raise BadArgumentType(where, value, _WANTED, function)


def _mapping(value: dict[Any, Any], where: str, inner: Callable[[Any, str], Any]) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str):
            raise BadArgumentType(where, value, "keys that are text", f"{key!r} is one of them")
    found = {str.__str__(key): inner(item, f"[{key!r}]") for key, item in value.items()}
    return {DICT: found} if looks_like_call(found) else found


def _said(call: Call, inner: Callable[[Any, str], Any]) -> list[Any] | dict[str, Any]:
    args = [inner(item, f".{call.name}[{k}]") for k, item in enumerate(call.args)]
    kwargs = {name: inner(item, f".{call.name}.{name}") for name, item in call.kwargs.items()}
    if (args and kwargs) or (kwargs and kwargs.keys() <= {"args", "kwargs"}):
        return {"args": args, "kwargs": kwargs}
    return kwargs or args


def decode(value: Any, where: str, make: Callable[[Call, str], Any] = lambda call, _: call) -> Any:
    """Return *value*, as a file says it, with ``make(call, where)`` in place of each call; the innermost come first.

    Raises:
        BadArgument: it is nested too deeply, or too large, or what *make* raises.

    >>> decode({"x": {"tune.choice": [[{"tune.uniform": [0, 1]}, 3]]}, "on": {"luthier.dict": {"a.b": [1]}}}, "config")
    {'x': tune.choice([tune.uniform(0, 1), 3]), 'on': {'a.b': [1]}}
    """
    return _decoded(value, where, make, 0, count())


def _decoded(value: Any, where: str, make: Callable[[Call, str], Any], depth: int, parts: Iterator[int]) -> Any:
    if depth > DEEPEST:
        raise BadArgument(where[:100], "...", f"at most {DEEPEST} levels", "it is nested too deeply")
    if next(parts) > LARGEST:
        raise BadArgument(where[:100], "...", f"at most {LARGEST} parts", "there is too much in it")

    def inner(item: Any, place: str) -> Any:
        return _decoded(item, f"{where}{place}", make, depth + 1, parts)

    if isinstance(value, (list, tuple)):
        return [inner(item, f"[{k}]") for k, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if not looks_like_call(value):
        return {key: inner(item, f".{key}") for key, item in value.items()}
    ((name, given),) = value.items()
    if name == DICT and isinstance(given, dict):
        return {key: inner(item, f".{key}") for key, item in given.items()}
    args, kwargs = said_with(given)
    where = f"{where}.{name}".lstrip(".")
    found = Call(
        name,
        *(inner(item, f"[{k}]") for k, item in enumerate(args)),
        **{key: inner(item, f".{key}") for key, item in kwargs.items()},
    )
    return make(found, where)


def said_with(given: object) -> tuple[list[Any], dict[str, Any]]:
    """Return what a call is made with, in order and by name.

    >>> said_with([1, {"a": 2}]), said_with({"args": [1], "kwargs": {"a": 2}})
    (([1, {'a': 2}], {}), ([1], {'a': 2}))
    """
    if isinstance(given, (list, tuple)):
        return list(given), {}
    if not isinstance(given, dict):
        return ([] if given is None else [given]), {}
    args, kwargs = given.get("args", []), given.get("kwargs", {})
    if given and given.keys() <= {"args", "kwargs"} and isinstance(args, (list, tuple)) and isinstance(kwargs, dict):
        return list(args), _texts(kwargs)
    return [], _texts(given)


def _texts(mapping: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in mapping.items()}
