"""At which of a training's moments a callback acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def moments(argument: str, given: str | Sequence[str], known: Iterable[str]) -> frozenset[str]:
    """Return the moments named by *given*, each of which must be *known*.

    Args:
        argument: name of the argument that they were given as.
        given: one name or several, without the ``on_`` of the hook's name.
        known: all that the library has.

    Raises:
        BadArgument: there is no such moment.

    >>> sorted(moments("on", ["epoch_end", "train_end"], ["epoch_end", "train_end", "train_begin"]))
    ['epoch_end', 'train_end']
    """
    names = [given] if isinstance(given, str) else list(given)
    known = sorted(known)
    for name in names:
        if name not in known:
            raise BadArgument(argument, name, f"one of {known}")
    return frozenset(names)
