"""Any Python value as JSON, and back.

What JSON can say is written as it stands: None, booleans, integers, finite floats, strings, lists, and dicts whose
keys are strings.  Everything else becomes an object with the key ``"$"``, which names what it is:

=================================  ================================================================================
value                              written as
=================================  ================================================================================
NaN, infinities                    ``{"$": "float", "v": "nan"}``, ``"inf"``, ``"-inf"``
integer of more than 1000 digits   ``{"$": "int", "v": hexadecimal}``
string with lone surrogates        ``{"$": "str", "v": with backslash escapes}``
tuple, set, frozenset              ``{"$": "tuple", "v": [...]}``
dict with other keys, or ``"$"``   ``{"$": "dict", "v": [[key, value], ...]}``
bytes, bytearray                   ``{"$": "bytes", "v": base64}``
numpy array of plain numbers       ``{"$": "array", "dtype": "<f8", "shape": [2, 3], "v": base64}``
anything else                      ``{"$": "pickle", "type": "pathlib.PosixPath", "shows": "a/b", "v": base64}``
=================================  ================================================================================

What comes back equals what went in, with these exceptions: a numpy scalar comes back as the Python number (or
string) that it stands for, and an OrderedDict, defaultdict or Counter as a plain dict.

A pickle runs code when it is loaded.  A log is a local file that its reader's own runs wrote, like the trainable
itself; it never comes from the network.  Whoever reads somebody else's log says ``unpickle=False`` and gets
:class:`Opaque` in place of such values.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections import Counter, OrderedDict, defaultdict
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from luthier.core.errors import NotStorable
from luthier.core.native import MAX_DEPTH, TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PLAIN_DICTS = (dict, OrderedDict, defaultdict, Counter)
_LONG = 1 << 3300  # about 1000 digits: Python refuses to read or write many more in decimal
_SHOWN = frozenset({"pathlib", "enum", "datetime", "decimal", "uuid", "fractions", "builtins", "functools"})
Path: TypeAlias = tuple[object, ...]
_encode = msgspec.json.Encoder().encode


class Opaque(msgspec.Struct, frozen=True):
    """A value that only its pickle can tell, and that was not or could not be loaded here.

    Attributes:
        type: name of its class.
        pickled: the pickle; it is written again as it is.
        shows: how the value printed, where that was short and cheap to say.
        error: why it could not be loaded; empty where nobody tried.
    """

    type: str
    pickled: bytes
    shows: str = ""
    error: str = ""

    def __repr__(self) -> str:
        what = f"{self.type} {self.shows}".rstrip()
        return f"<{what}, not loaded{': ' + self.error if self.error else ''}>"


def finite(value: object) -> bool:
    """Return whether no float in *value*, which must be :func:`~luthier.core.native.native`, is NaN or infinite."""
    kind = value.__class__
    if kind is float:
        return value - value == 0.0  # type: ignore[operator,no-any-return]
    if kind is dict:
        return all(map(finite, value.values()))  # type: ignore[attr-defined]
    if kind is list:
        return all(map(finite, value))  # type: ignore[call-overload]
    return True


def to_json(value: object, path: Path = ()) -> object:
    """Return *value* in the words of JSON; *path* is what an error calls it, part by part.

    Raises:
        NotStorable: some value in it cannot even be pickled, or it is nested more than 100 deep.

    >>> to_json({"lr": float("inf"), "layers": (64, 32)})
    {'lr': {'$': 'float', 'v': 'inf'}, 'layers': {'$': 'tuple', 'v': [64, 32]}}
    """
    kind = value.__class__
    write = _WRITERS.get(kind)
    if write is not None:
        return write(value, path)
    if kind.__module__ == "numpy":
        return _of_numpy(value, path)
    return _pickled(value, path)


def from_json(value: object, *, unpickle: bool = True) -> object:
    """Return what :func:`to_json` was given; with ``unpickle=False`` pickles stay :class:`Opaque`.

    >>> from_json({"layers": {"$": "tuple", "v": [64, 32]}})
    {'layers': (64, 32)}
    """
    if value.__class__ is list:
        return [from_json(x, unpickle=unpickle) for x in value]
    if value.__class__ is not dict:
        return value
    assert isinstance(value, dict)  # noqa: S101 (for the type checker)
    if TAG not in value:
        return {k: from_json(v, unpickle=unpickle) for k, v in value.items()}
    tag = value[TAG]
    if tag == "pickle":
        opaque = Opaque(value["type"], a2b_base64(value["v"]), value.get("shows", ""))
        return _loaded(opaque) if unpickle else opaque
    read = _READERS.get(tag)
    if read is None:
        raise ValueError(f"a value is tagged {tag!r}, which is unknown here")
    if tag in _HOLDERS:
        return read(from_json(value["v"], unpickle=unpickle))
    return read(value)


# -- writing ---------------------------------------------------------------------------------------------------------


def _as_is(value: Any, _path: Path) -> object:
    return value


def _of_float(value: Any, _path: Path) -> object:
    if value - value == 0.0:
        return value
    return {TAG: "float", "v": repr(value)}


def _of_int(value: Any, _path: Path) -> object:
    return value if -_LONG < value < _LONG else {TAG: "int", "v": hex(value)}


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _of_str(value: Any, _path: Path) -> object:
    if value.isascii() or not _has_surrogates(value):
        return value
    return {TAG: "str", "v": value.encode("unicode_escape").decode("ascii")}


def _of_list(value: Any, path: Path) -> list[object]:
    if len(path) > MAX_DEPTH:
        raise NotStorable(f"{_joined(path)} cannot be stored: it is nested too deeply, or holds itself.")
    return [to_json(x, (*path, i)) for i, x in enumerate(value)]


def _of_tuple(value: Any, path: Path) -> object:
    return {TAG: "tuple", "v": _of_list(value, path)}


def _of_set(value: Any, path: Path) -> object:
    items = sorted((to_json(x, (*path, "a member")) for x in value), key=_encode)  # the same set, the same bytes
    return {TAG: type(value).__name__, "v": items}


def _of_dict(value: Any, path: Path) -> object:
    if len(path) > MAX_DEPTH:
        raise NotStorable(f"{_joined(path)} cannot be stored: it is nested too deeply, or holds itself.")
    if TAG in value or not all(k.__class__ is str and (k.isascii() or not _has_surrogates(k)) for k in value):
        # A key may be tagged like any value, so that a list of pairs holds every dict there is.
        return {TAG: "dict", "v": [[to_json(k, (*path, "a key")), to_json(v, (*path, k))] for k, v in value.items()]}
    return {k: to_json(v, (*path, k)) for k, v in value.items()}


def _of_bytes(value: Any, _path: Path) -> object:
    return {TAG: type(value).__name__, "v": _base64(value)}


def _base64(value: bytes) -> str:
    return b2a_base64(value, newline=False).decode("ascii")


def _of_opaque(value: Any, _path: Path) -> object:
    shows = {"shows": value.shows} if value.shows else {}
    return {TAG: "pickle", "type": value.type, **shows, "v": _base64(value.pickled)}


def _of_numpy(value: Any, path: Path) -> object:
    import numpy as np

    if type(value) is np.ndarray and value.dtype.kind in "biufcSUmM":
        # A big-endian or strided array is written as it is laid out logically: C order, its own byte order.
        return {
            TAG: "array",
            "dtype": value.dtype.str,
            "shape": list(value.shape),
            "v": _base64(value.tobytes()),
        }
    if isinstance(value, np.generic) and value.dtype.kind in "biufSU":
        plain = value.item()
        if plain.__class__ in _WRITERS:  # a long double stays what it is
            return to_json(plain, path)
    return _pickled(value, path)


def _pickled(value: object, path: Path) -> object:
    import cloudpickle

    cls = type(value)
    name = f"{cls.__module__}.{cls.__qualname__}"
    try:
        pickled = cloudpickle.dumps(value)
    except Exception as error:  # whatever a __reduce__ raises
        raise NotStorable(
            f"{_joined(path)} ({name}) cannot be stored: it is neither plain data nor can it be pickled "
            f"({type(error).__name__}: {error}). Give a number, a string, or a picklable object."
        ) from error
    return _of_opaque(Opaque(name, pickled, _shown(value)), path)


def _joined(path: Path) -> str:
    if not path:
        return "the value"
    if len(path) > 10:  # noqa: PLR2004 (what leads there is plain by then)
        return _joined(path[:9]) + "[...]"
    return str(path[0]) + "".join(f"[{part!r}]" for part in path[1:])


def _shown(value: object) -> str:
    """Return how *value* prints, for the reader of the log; only of classes that print shortly and cheaply."""
    named = getattr(value, "__name__", None)
    if type(value).__module__ == "numpy" and isinstance(named, str):  # a function: numpy's are of classes of its own
        return f"<function {named}>"
    if not any(cls.__module__.partition(".")[0] in _SHOWN for cls in type(value).__mro__[:-1]):
        return ""
    try:
        text = str(value)
        text.encode()
    except Exception:  # noqa: BLE001 (a broken __str__ must not cost the value)
        return ""
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 (a line's worth)


_WRITERS: Mapping[type, Callable[[Any, Path], object]] = {
    type(None): _as_is,
    bool: _as_is,
    float: _of_float,
    int: _of_int,
    str: _of_str,
    list: _of_list,
    tuple: _of_tuple,
    set: _of_set,
    frozenset: _of_set,
    bytes: _of_bytes,
    bytearray: _of_bytes,
    Opaque: _of_opaque,
    **dict.fromkeys(_PLAIN_DICTS, _of_dict),
}

# -- reading ---------------------------------------------------------------------------------------------------------


def _to_array(value: Any) -> object:
    import numpy as np

    flat = np.frombuffer(a2b_base64(value["v"]), dtype=np.dtype(value["dtype"]))
    return flat.reshape(value["shape"]).copy()  # of its own, so that it can be written to


def _loaded(opaque: Opaque) -> object:
    import pickle

    try:
        return pickle.loads(opaque.pickled)
    except Exception as error:  # noqa: BLE001 (a class that is gone must not make the whole log unreadable)
        return Opaque(opaque.type, opaque.pickled, opaque.shows, f"{type(error).__name__}: {error}")


_HOLDERS = frozenset({"tuple", "set", "frozenset", "dict"})
_READERS: Mapping[str, Callable[[Any], object]] = {
    "float": lambda x: float(x["v"]),
    "int": lambda x: int(x["v"], 16),
    "str": lambda x: x["v"].encode("ascii").decode("unicode_escape"),
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "dict": dict,
    "bytes": lambda x: a2b_base64(x["v"]),
    "bytearray": lambda x: bytearray(a2b_base64(x["v"])),
    "array": _to_array,
}
