"""A parameter as a column: where on an axis each trial's value lies, and how the axis is to be marked."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.callbacks.spelling import short
from luthier.core.goal import number
from luthier.plots.chronicle import MOST

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import numpy as np
    import numpy.typing as npt

    from luthier.plots.chronicle import Trial

    Vector = npt.NDArray[np.float64]

LOG_FROM = 10.0  # an axis may be logarithmic where the largest value is so many times the smallest one
MOST_OPTIONS = 20  # of a choice; rarer ones share a place
_BINS = 8


class Column(msgspec.Struct):
    """One parameter of all trials.

    Attributes:
        name: the parameter's name, nested ones joined by ``/``.
        kind: ``"linear"``, ``"log"`` or ``"category"``.
        places: where each trial's value lies: the number itself, or an option's number; NaN where the trial has no such
            parameter, or none that is finite.
        options: what the options of a ``"category"`` are called, in their order.
    """

    name: str
    kind: str
    places: Vector
    options: list[str] = []

    @property
    def scaled(self) -> Vector:
        """The places, logarithms of them on a logarithmic axis."""
        import numpy as np

        return np.log10(self.places) if self.kind == "log" else self.places

    @property
    def units(self) -> Vector:
        """The places between 0 and 1, in the scale of the axis; NaN where there are none."""
        import numpy as np

        scaled = self.scaled
        if not np.isfinite(scaled).any():
            return scaled
        low, high = np.nanmin(scaled), np.nanmax(scaled)
        return (scaled - low) / (high - low) if high > low else np.where(np.isnan(scaled), np.nan, 0.5)

    def as_logarithmic(self) -> Column:
        """Return it with a logarithmic axis; as it is where it has options, or values that have no logarithm.

        >>> import numpy as np
        >>> Column("lr", "linear", np.array([0.1, 0.2])).as_logarithmic().kind
        'log'
        """
        possible = self.kind == "linear" and not (self.places <= 0).any()
        return msgspec.structs.replace(self, kind="log") if possible else self

    @property
    def varies(self) -> bool:
        """Whether trials differ in it."""
        import numpy as np

        there = ~np.isnan(self.places)
        return bool(there.any() and (not there.all() or self.places[there].min() < self.places[there].max()))


def columns(trials: Sequence[Trial], logarithmic: Collection[str] = ()) -> list[Column]:
    """Return a column for each parameter that any of *trials* has, in the order in which they turn up.

    Those that are *logarithmic* are so on their axes, too; others where their values look like it.

    >>> from luthier.plots.chronicle import Trial
    >>> trials = [Trial(k, "", "", "done", config, {}) for k, config in enumerate([{"lr": 0.1}, {"opt": "sgd"}])]
    >>> [(column.name, column.kind, column.places.tolist()) for column in columns(trials)]
    [('lr', 'linear', [0.1, nan]), ('opt', 'category', [nan, 0.0])]
    """
    names = dict.fromkeys(name for trial in trials for name in trial.config)
    found = [column(name, [trial.config.get(name, _ABSENT) for trial in trials]) for name in names]
    return [each.as_logarithmic() if each.name in logarithmic else each for each in found]


class _Absent(msgspec.Struct, frozen=True):
    pass


_ABSENT = _Absent()


def column(name: str, values: Sequence[Any] | Vector) -> Column:
    """Return the column of *values*: numbers on a linear or logarithmic axis, anything else as a choice.

    An axis is logarithmic where the values are positive, spread over a factor of ten or more, and lie more evenly so.
    """
    import numpy as np

    there = [value for value in values if value is not _ABSENT]
    numbers = [None if isinstance(value, bool) else number(value) for value in there]
    if any(found is None for found in numbers):
        return _choice(name, values)
    found = iter(numbers)
    places = np.array([math.nan if value is _ABSENT else next(found) for value in values], dtype=np.float64)
    places[~(np.abs(places) < MOST)] = np.nan
    return Column(name, "log" if is_log(places) else "linear", places)


def is_log(places: Vector, least: float = LOG_FROM) -> bool:
    """Return whether *places* (NaN among them) lie better on a logarithmic axis, and spread over a factor of *least*.

    >>> import numpy as np
    >>> is_log(np.array([1e-4, 1e-3, 1e-2])), is_log(np.array([1.0, 50.0, 100.0]))
    (True, False)
    """
    import numpy as np

    known = places[np.isfinite(places)]
    if not len(known) or known.min() <= 0 or known.max() < least * known.min():
        return False
    skew = []
    for scaled in (known, np.log(known)):
        unit = (scaled - scaled.min()) / (scaled.max() - scaled.min())
        skew.append(abs(float(np.median(unit)) - 0.5))
    return skew[1] < skew[0]


def _choice(name: str, values: Sequence[Any] | Vector) -> Column:
    import numpy as np

    texts = [None if value is _ABSENT else short(value, 60) or repr(value) for value in values]
    counts = Counter(text for text in texts if text is not None)
    options = _ordered(counts)
    if len(options) > MOST_OPTIONS:
        common = {text for text, _ in counts.most_common(MOST_OPTIONS - 1)}
        options = [text for text in options if text in common]
        rest = f"{len(counts) - len(options)} others"
        texts = [text if text is None or text in common else rest for text in texts]
        options.append(rest)
    index = {text: place for place, text in enumerate(options)}
    places = [math.nan if text is None else float(index[text]) for text in texts]
    return Column(name, "category", np.array(places, dtype=np.float64), options)


def _ordered(texts: Iterable[str]) -> list[str]:
    """Return *texts* in order: numbers by size, before words."""

    def key(text: str) -> tuple[int, float, str]:
        try:
            return 0, float(text), text
        except ValueError:
            return 1, 0.0, text

    return sorted(texts, key=key)


def telling(found: Sequence[Column], values: Vector, most: int) -> list[Column]:
    """Return the *most* columns that tell most about *values*, the most telling first; without those that are fixed.

    What a column tells is the share of the variance of the values' ranks that lies between eight bins of the column (or
    its options).  It is cheap, and good for choosing what to show, not for judging.
    """
    import numpy as np

    known = np.isfinite(values)
    ranks = np.full(len(values), np.nan)
    ranks[known] = np.argsort(np.argsort(values[known], kind="stable"), kind="stable")
    varied = [each for each in found if each.varies]
    if not known.any():
        return varied[:most]
    scored = sorted(((-_told(each, ranks), k) for k, each in enumerate(varied)))
    return [varied[k] for _, k in scored[:most]]


def _told(column: Column, ranks: Vector) -> float:
    import numpy as np

    units, known = column.units, np.isfinite(ranks)
    if column.kind == "category":
        bins = np.where(np.isnan(units), -1.0, column.places)
    else:
        order = np.argsort(np.argsort(units, kind="stable"), kind="stable")
        bins = np.where(np.isnan(units), -1.0, order * _BINS // max(1, int((~np.isnan(units)).sum())))
    kept, total = ranks[known], float(np.var(ranks[known]))
    if total <= 0:
        return 0.0
    groups = [kept[bins[known] == each] for each in np.unique(bins[known])]
    between = sum(len(group) * (group.mean() - kept.mean()) ** 2 for group in groups) / len(kept)
    chance = (len(groups) - 1) / max(1, len(kept) - 1)  # what bins of mere chance would tell
    return float(between / total) - chance
