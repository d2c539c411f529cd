"""How values, times and errors are spelled for people: short, on one line, harmless to a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.terms import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from luthier.core.terms import Why

# What the statuses are called in tables; HALTING and EXITED last moments only.
STATUS_WORDS: Mapping[Status, str] = {
    Status.PENDING: "waiting",
    Status.RUNNING: "running",
    Status.HALTING: "running",
    Status.EXITED: "running",
    Status.PAUSED: "paused",
    Status.DONE: "done",
    Status.STOPPED: "stopped",
    Status.FAILED: "failed",
}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_SURE = 10  # seconds below which a decimal says something
_TENTH = 0.0995
_FIGURES = 5


def duration(seconds: float) -> str:
    """Return *seconds* as people say it.

    >>> duration(0.0123), duration(3.21), duration(75), duration(4000), duration(200000)
    ('12 ms', '3.2 s', '1 min 15 s', '1 h 06 min', '2 d 07 h')
    """
    if 0 < seconds < _TENTH:
        return f"{seconds * 1000:.0f} ms" if seconds > _TENTH / 100 else "<1 ms"
    if seconds < _SURE:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR:02d} h"


def plain_text(text: str) -> str:
    r"""Return *text* without anything that moves a terminal's cursor or colours it.

    >>> plain_text("a\x1b[31mb\nc")
    'a\\x1b[31mb c'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else " " if c in "\n\r\t" else c.encode("unicode_escape").decode("ascii") for c in text
    )


def cut(text: str, width: int) -> str:
    """Return *text* in at most *width* characters.

    >>> cut("a long word", 6)
    'a lon…'
    """
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def short(value: object, width: int = 32) -> str:
    """Return *value* in a cell's width: five figures of a float, one line of anything else.

    >>> short(0.000123456), short("adam"), short([1, 2]), short(None), short(12345678.9)
    ('0.00012346', 'adam', '[1, 2]', '', '1.2346e+07')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float) or (type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0):
        try:
            return f"{value:.{_FIGURES}g}"
        except (TypeError, ValueError):
            pass
    if isinstance(value, str):
        return cut(plain_text(value[: 4 * width]), width)
    if callable(value) and hasattr(value, "__name__"):
        return cut(plain_text(str(value.__name__)), width)
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 (a broken __repr__ must not stop the table)
        text = f"<{type(value).__name__}>"
    return cut(plain_text(text[: 4 * width]), width)


def chosen(choosers: Sequence[tuple[int, Why]]) -> str:
    """Return who chose configs, each from which trial on, and why.

    >>> chosen([(0, {"by": "gp", "because": "few results"}), (200, {"by": "tpe", "because": "choices"})])
    'gp (few results), from trial 200 on tpe (choices)'
    """
    parts = [
        (f"from trial {number} on " if number else "") + f"{why.get('by')} ({why.get('because')})"
        for number, why in choosers
    ]
    return plain_text(", ".join(parts))


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the leaves of nested dicts by paths with slashes.

    >>> dict(flat({"a": {"b": 1}, "c": [2]}))
    {'a/b': 1, 'c': [2]}
    """
    for key, value in config.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value


def configured(config: Mapping[str, Any], width: int = 200) -> str:
    """Return *config* on one line.

    >>> configured({"lr": 0.1, "net": {"layers": 2}})
    'lr=0.1, net/layers=2'
    """
    return cut(", ".join(f"{plain_text(name)}={short(value)}" for name, value in flat(config)), width)


def counted(number: int, noun: str) -> str:
    """Return *number* with *noun*, in the plural where it belongs.

    >>> counted(1, "trial"), counted(1200, "trial"), counted(3, "retry")
    ('1 trial', '1 200 trials', '3 retries')
    """
    if number == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,}".replace(",", " ") + f" {plural}"
