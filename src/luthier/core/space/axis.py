"""One thing to be drawn."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from luthier.core.space.categorical import Grid
from luthier.core.space.domain import Domain

Path: TypeAlias = "tuple[str | int, ...]"  # keys of dicts and places in lists, from the top of a config


class Condition(NamedTuple):
    """An axis is alive only where the axis *parent* (its number) is alive and chose *option*."""

    parent: int
    option: int


class Axis(NamedTuple):
    """One axis of a space.

    Attributes:
        number: its place in vectors and in ``space.axes``; a parent's comes before its children's.
        path: where its value lies in a config.  Axes under different options of one choice may share it.
        name: the path in words, unique in the space: ``model/lr``, or ``model[1]/lr`` under option 1 of a choice.
        domain: what it may be.
        condition: when it is alive; None for always.
        key: the place of its randomness, a hash of the name: a draw does not depend on what other axes there are.
    """

    number: int
    path: Path
    name: str
    domain: Domain
    condition: Condition | None
    key: int

    @property
    def is_grid(self) -> bool:
        """Whether its options are tried in turn rather than drawn."""
        return isinstance(self.domain, Grid)


def place_of(name: str) -> int:
    """Return a number that belongs to *name* in every process (FNV-1a, 64 bits); part of what a seed means."""
    key = 0xCBF29CE484222325
    for byte in name.encode("utf-8", "surrogatepass"):
        key = ((key ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return key


def spelled(path: Path, root: str = "param_space") -> str:
    """Return *path* as one would write it in Python.

    >>> spelled(("model", "layers", 0))
    "param_space['model']['layers'][0]"
    """
    return root + "".join(f"[{part!r}]" for part in path)
