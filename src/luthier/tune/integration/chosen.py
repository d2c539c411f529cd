"""Which of a training library's metrics are reported, and under which names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.core.errors import BadArgument, BadArgumentType


class Chosen:
    """The ``metrics`` argument of a callback.

    Args:
        metrics: one name, several, or ``{name to report: the library's own name}``; None for all that there are.

    Raises:
        BadArgumentType: *metrics* is none of these.

    >>> Chosen({"loss": "eval-logloss"}).of({"eval-logloss": 0.25, "eval-error": 0.1})
    {'loss': 0.25}
    >>> Chosen(None).of({"val_loss": 0.5})
    {'val_loss': 0.5}
    """

    def __init__(self, metrics: str | Sequence[str] | Mapping[str, str] | None) -> None:
        if isinstance(metrics, str):
            metrics = [metrics]
        names = metrics if isinstance(metrics, Mapping) else {name: name for name in _listed(metrics)}
        if not all(isinstance(name, str) for pair in names.items() for name in pair):
            raise BadArgumentType("metrics", metrics, _WANTED)
        self.names: dict[str, str] = dict(names)

    def of(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is to be reported of what the library has *found*.

        Raises:
            BadArgument: a metric that was asked for is not there.
        """
        missing = [name for name in self.names.values() if name not in found]
        if missing:
            raise BadArgument("metrics", missing, f"some of {sorted(found)}", "the training reports no such metric")
        return self.there(found)

    def there(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is to be reported, as far as it is there."""
        if not self.names:
            return dict(found)
        return {name: found[theirs] for name, theirs in self.names.items() if theirs in found}

    def missing(self, found: Mapping[str, Any]) -> list[str]:
        """Return which metrics were asked for and are not there."""
        return [theirs for theirs in self.names.values() if theirs not in found]


_WANTED = "a name, a list of names, or a dict from names to report to the library's own names"


def _listed(metrics: object) -> list[Any]:
    if metrics is None:
        return []
    if isinstance(metrics, Sequence | set | frozenset) and not isinstance(metrics, bytes):
        return list(metrics)
    raise BadArgumentType("metrics", metrics, _WANTED)
