"""Templates, and how they spell values, times and links."""

from __future__ import annotations

import hashlib
import re
import time
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import jinja2
import msgspec
from markupsafe import Markup

from luthier.callbacks.spelling import duration, plain_text, short

if TYPE_CHECKING:
    from collections.abc import Iterable

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_WIDE = 60  # letters of a value in a table


def spelled(value: object, width: int = _WIDE) -> str:
    """Return *value* in a cell: five figures of a number, one line of anything else.

    >>> spelled(0.000123456), spelled(12345), spelled(["a", 1]), spelled(None), spelled(True)
    ('0.00012346', '12345', '["a",1]', '', 'True')
    """
    if isinstance(value, list | dict):
        value = msgspec.json.encode(value).decode()
    return short(value, width)


def whole(value: object) -> str:
    """Return *value* in full, for what is shown when one asks.

    >>> whole(0.1), whole({"a": 1})
    ('0.1', '{"a":1}')
    """
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict) else str(value)


def moment(at: float | None) -> Markup:
    """Return a time that the page spells in the reader's own zone; UTC until it does.

    >>> moment(0.0)
    Markup('<time datetime="1970-01-01T00:00:00Z">1970-01-01 00:00 UTC</time>')
    """
    if at is None:
        return Markup("")
    try:
        found = time.gmtime(at)
    except (OverflowError, ValueError, OSError):
        return Markup("")
    machine = time.strftime("%Y-%m-%dT%H:%M:%SZ", found)
    return Markup('<time datetime="{}">{}</time>').format(machine, time.strftime("%Y-%m-%d %H:%M UTC", found))


def lasted(seconds: float | None) -> str:
    """Return how long something took, in words; empty where nobody knows."""
    return "" if seconds is None else duration(max(0.0, seconds))


def size(count: int) -> str:
    """Return *count* bytes as people say it.

    >>> size(512), size(2048), size(5 * 10**9)
    ('512 B', '2.0 KiB', '4.7 GiB')
    """
    amount, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 1024 and len(units) > 1:  # noqa: PLR2004 (bytes in a KiB)
        amount, units = amount / 1024, units[1:]
    return f"{amount:.0f} {units[0]}" if units[0] == "B" else f"{amount:.1f} {units[0]}"


def printed(text: str) -> str:
    r"""Return a line of output as a page shows it: no colours of a terminal, of what was overwritten only the last.

    >>> printed("\x1b[31m 10%\r 20%\x1b[0m")
    ' 20%'
    """
    plain = _ESCAPES.sub("", text).rstrip("\r")
    return plain_text(plain.rpartition("\r")[2].replace("\t", "    "))


def linked(path: str, parameters: Iterable[tuple[str, Any]] = ()) -> str:
    """Return *path* with a query.

    >>> linked("/sweeps/a", [("filter", "loss < 1"), ("sort", None)])
    '/sweeps/a?filter=loss+%3C+1'
    """
    query = urlencode([(name, value) for name, value in parameters if value not in (None, "")])
    return f"{path}?{query}" if query else path


def grouped(count: int) -> str:
    """Return *count* with spaces between thousands.

    >>> grouped(5000)
    '5 000'
    """
    return f"{count:,}".replace(",", " ")


@cache
def static(name: str) -> bytes:
    """Return the file *name* of those that pages need."""
    return (resources.files("luthier.server.web") / "static" / name).read_bytes()


@cache
def place_of(name: str) -> str:
    """Return where pages find the file *name*; another one after it has changed, so that browsers may keep it."""
    return f"/static/{name}?v={hashlib.sha256(static(name)).hexdigest()[:12]}"


def _library() -> str:
    from plotly import __version__

    return f"/static/plotly.min.js?v={quote(__version__)}"


@cache
def environment() -> jinja2.Environment:
    """Return the templates; whatever they show is escaped."""
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("luthier.server.web"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    found.filters |= {
        "spelled": spelled,
        "whole": whole,
        "moment": moment,
        "lasted": lasted,
        "size": size,
        "printed": printed,
        "grouped": grouped,
        "segment": lambda text: quote(str(text), safe=""),
    }
    found.globals |= {"static": place_of, "plotly": _library, "linked": linked}
    return found
