"""Resources as vectors: what a worker has, what a trial asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from luthier.core.errors import BadArgument, BadArgumentType

if TYPE_CHECKING:
    from collections.abc import Mapping

Resources: TypeAlias = "Mapping[str, float]"  # e.g. {"cpu": 2, "gpu": 0.5, "licence": 1}; a name that is missing is 0

_SLACK = 1e-9  # ten trials of 0.1 gpu fit one gpu


def fits(request: Resources, free: Resources) -> bool:
    """Whether *request* can be served from *free*.

    >>> fits({"cpu": 1}, {"cpu": 2, "gpu": 1}), fits({"gpu": 2}, {"cpu": 2, "gpu": 1})
    (True, False)
    """
    for name, amount in request.items():
        if amount > free.get(name, 0.0) + _SLACK and amount > 0:  # nothing fits even where too much is taken
            return False
    return True


def shape(request: Resources) -> tuple[tuple[str, float], ...]:
    """Return *request* as a hashable, order-free value: trials of one shape are placed alike."""
    return tuple(sorted(request.items()))


def checked(request: Mapping[str, object], argument: str) -> dict[str, float]:
    """Return *request* as floats by lower-case ``cpu``/``gpu`` and custom names; zero entries are dropped.

    Raises:
        BadArgument: for negative, non-finite or non-numeric amounts, or names that are not strings.
    """
    clean: dict[str, float] = {}
    for name, amount in request.items():
        if not isinstance(name, str):
            raise BadArgumentType(argument, request, "a dict with names such as 'cpu' and 'gpu'")
        key = name.lower() if name.lower() in ("cpu", "gpu") else name
        if isinstance(amount, bool) or not isinstance(amount, (int, float)):
            raise BadArgumentType(f"{argument}[{name!r}]", amount, "a number")
        if not 0 <= amount < float("inf"):
            raise BadArgument(f"{argument}[{name!r}]", amount, "a finite number >= 0")
        if amount:
            clean[key] = float(amount)
    return clean


def total(holders: Mapping[str, Resources]) -> dict[str, float]:
    """Return what all *holders* have together.

    >>> total({"a": {"cpu": 2.0}, "b": {"cpu": 1.0, "gpu": 1.0}})
    {'cpu': 3.0, 'gpu': 1.0}
    """
    everything: dict[str, float] = {}
    for resources in holders.values():
        for name, amount in resources.items():
            everything[name] = everything.get(name, 0.0) + amount
    return everything


def spelled(request: Resources) -> str:
    """Return *request* in words.

    >>> spelled({"cpu": 2.0, "gpu": 0.5})
    '2 cpu, 0.5 gpu'
    """
    return ", ".join(f"{amount:g} {name}" for name, amount in request.items()) or "nothing"
