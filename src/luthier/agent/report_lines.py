"""Metrics in what a program prints: lines of ``name=value``."""

from __future__ import annotations

import re

_NAME = r"[A-Za-z_][\w./-]*"
_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf|NaN|Inf(?:inity)?|infinity)"
_PAIR = re.compile(rf"({_NAME})\s*=\s*({_NUMBER})(?:[,;\s]+|$)")
_LONGEST = 2000


def metrics_in(line: str) -> dict[str, float]:
    """Return the metrics of a line that is nothing but ``name=value``, once or several times; else none.

    >>> metrics_in("loss=0.25"), metrics_in("epoch=3, val/loss = 1e-3")
    ({'loss': 0.25}, {'epoch': 3, 'val/loss': 0.001})
    >>> metrics_in("saved x=1 to disk")
    {}
    """
    text = line.strip()
    if "=" not in text or len(text) > _LONGEST:
        return {}
    found: dict[str, float] = {}
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            return {}
        name, number = pair.groups()
        found[name] = int(number) if re.fullmatch(r"[-+]?\d{1,18}", number) else float(number)
        at = pair.end()
    return found
