"""What a trial's values look like in its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luthier.core.space import Space


def format_vars(resolved_vars: Mapping[tuple[Any, ...], Any]) -> str:
    """Return values by path as text that may be part of a directory's name on any system.

    Paths are sorted, and only the last part of each is shown; floats have four decimals; what is neither letter, digit,
    ``_`` nor ``-`` becomes ``_``.

    >>> format_vars({("config", "lr"): 0.001, ("config", "model", "name"): "a/b c"})
    'lr=0.0010,name=a_b_c'
    """
    ordered = sorted(resolved_vars.items(), key=lambda item: [(isinstance(part, int), part) for part in item[0]])
    return ",".join(f"{_clean(path[-1])}={_clean(value)}" for path, value in ordered)


def _clean(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 (a broken __str__ must not cost the trial)
        text = type(value).__name__
    kept = (c if c.isascii() and (c.isalnum() or c in "_-") else " " for c in text)
    return "_".join("".join(kept).split()).strip("_")


def experiment_tag(number: int, config: Mapping[str, Any], space: Space) -> str:
    """Return the tag of the *number*-th trial: its number, and what of its config was drawn or computed.

    >>> from luthier.core.space import Space
    >>> from luthier.tune.spaces import choice, loguniform
    >>> space = Space({"a": loguniform(1e-4, 1e-1), "b": choice([2, 4]), "epochs": 10})
    >>> experiment_tag(3, {"a": 0.001, "b": 2, "epochs": 10}, space)
    '3_a=0.0010,b=2'
    """
    values = format_vars(space.drawn(config))
    return f"{number}_{values}" if values else str(number)
