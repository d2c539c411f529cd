"""What a word in a YAML file stands for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE, _FALSE = frozenset({"true", "True", "TRUE"}), frozenset({"false", "False", "FALSE"})
_YES = frozenset({"yes", "Yes", "YES", "on", "On", "ON"})
_NO = frozenset({"no", "No", "NO", "off", "Off", "OFF"})
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_OCTAL = re.compile(r"[-+]?0[0-7_]+")
_HEX, _BINARY = re.compile(r"[-+]?0x[0-9a-fA-F_]+"), re.compile(r"[-+]?0b[01_]+")
_POINT = r"(?:\.[0-9][0-9_]*|[0-9][0-9_]*\.[0-9_]*)(?:[eE][-+]?[0-9]+)?"
_FLOAT = re.compile(rf"[-+]?(?:{_POINT}|[0-9][0-9_]*[eE][-+]?[0-9]+)")
_DIGITS = re.compile(r"[-+]?[0-9_.]+(?:[eE][-+]?[0-9]+)?")
_ENDLESS, _NAN = re.compile(r"([-+]?)\.(?:inf|Inf|INF)"), re.compile(r"\.(?:nan|NaN|NAN)")
_LONGEST = 400  # digits

PREFIX: Final = "tag:yaml.org,2002:"


def resolved(text: str, odd: Callable[[str], None]) -> object:
    """Return what the unquoted *text* stands for; *odd* hears what may not be meant.

    It is as in YAML 1.1, which W&B's client reads, but for numbers such as ``1e-3``, which are numbers here, and for
    dates and times, which are text.

    Raises:
        ValueError: it is a number with too many digits.

    >>> [resolved(text, print) for text in ("1e-3", "7", "7.0", "true", "~", "adam", "2026-01-01", "010")]
    010 is octal here, and stands for 8: write 0o10 in quotes, or 8
    [0.001, 7, 7.0, True, None, 'adam', '2026-01-01', 8]
    """
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text in _YES or text in _NO:
        odd(f"{text} stands for {'true' if text in _YES else 'false'} in YAML: write {text!r} if the word is meant")
        return text in _YES
    if text[0] in "-+.0123456789":
        return _number(text, odd)
    return text


def _number(text: str, odd: Callable[[str], None]) -> object:
    if len(text) > _LONGEST and _DIGITS.fullmatch(text):
        msg = f"a number of {len(text)} digits is too long"
        raise ValueError(msg)
    bare = text.replace("_", "")
    if _DECIMAL.fullmatch(text):
        return int(bare)
    if _OCTAL.fullmatch(text) and bare.lstrip("+-0"):
        found = int(bare, 8)
        odd(f"{text} is octal here, and stands for {found}: write 0o{bare.lstrip('+-0')} in quotes, or {found}")
        return found
    if _HEX.fullmatch(text) or _BINARY.fullmatch(text):
        return int(bare, 0)
    if _FLOAT.fullmatch(text):
        return float(bare)
    endless = _ENDLESS.fullmatch(text)
    if endless:
        return float(f"{endless[1]}inf")
    return float("nan") if _NAN.fullmatch(text) else text
