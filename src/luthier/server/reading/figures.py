"""Figures of a sweep: those that notebooks show, as JSON for a page, kept until the sweep has changed."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from luthier.core.errors import MissingLibrary
from luthier.plots.catalogue import FIGURES
from luthier.plots.parallel import MOST_AXES, chosen_columns
from luthier.plots.style import blank, goal_for
from luthier.server.missing import NotThere
from luthier.server.reading.chronicles import Chronicles
from luthier.server.tables import sweeps

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.plots.chronicle import Chronicle

_KEPT = 64
_SPARED = 5.0  # times as long as a figure took to make, one that is no longer quite new is still shown


class _Drawn(msgspec.Struct):
    mark: tuple[Any, ...]
    text: bytes
    made: float
    took: float


class Figures:
    """Figures by sweep, name and metric.

    A sweep that changes many times a second is drawn no more often than leaves time for other things.

    Args:
        database: the server's.
        clock: seconds that pass.
    """

    def __init__(self, database: sa.Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._chronicles = Chronicles(database)
        self._kept: OrderedDict[tuple[str, str, str | None, str | None], _Drawn] = OrderedDict()
        self._lock, self._drawing = threading.Lock(), threading.Lock()

    def read(self, sweep: str, name: str, metric: str | None = None, mode: str | None = None) -> bytes:
        """Return the figure *name* of *sweep* as JSON: ``data``, ``layout`` and ``meta``, as plotly takes them.

        Args:
            sweep: id of the sweep.
            name: of the figure, from :data:`~luthier.plots.catalogue.FIGURES`.
            metric: which metric it is about; the sweep's own where None.
            mode: ``"min"`` or ``"max"``; the sweep's own where None.

        Raises:
            NotThere: there is no such sweep, or no such figure.
            BadArgument: there is no such metric.
        """
        if name not in FIGURES:
            raise NotThere("figure", name)
        key = (sweep, name, metric, mode)
        found = self._fresh(key, self._mark(sweep))
        if found is None:
            with self._drawing:  # one at a time: they are Python's work alone
                mark = self._mark(sweep)
                found = self._fresh(key, mark)
                if found is None:
                    begun = self._clock()
                    text = self._draw(sweep, name, metric, mode)
                    found = _Drawn(mark, text, self._clock(), self._clock() - begun)
                    self._keep(key, found)
        return found.text

    def _mark(self, sweep: str) -> tuple[Any, ...]:
        columns = (sweeps.c.length, sweeps.c.updated_at, sweeps.c.state)
        with self._database.connect() as connection:
            row = connection.execute(sa.select(*columns).where(sweeps.c.id == sweep)).first()
        if row is None:
            raise NotThere("sweep", sweep)
        return tuple(row)

    def _fresh(self, key: tuple[str, str, str | None, str | None], mark: tuple[Any, ...]) -> _Drawn | None:
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
        young = self._clock() - found.made < _SPARED * found.took and found.mark[-1] == mark[-1]
        return found if found.mark == mark or young else None

    def _keep(self, key: tuple[str, str, str | None, str | None], drawn: _Drawn) -> None:
        with self._lock:
            self._kept[key] = drawn
            self._kept.move_to_end(key)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)

    def _draw(self, sweep: str, name: str, metric: str | None, mode: str | None) -> bytes:
        entry = FIGURES[name]
        found = self._chronicles.read(sweep, metric)
        try:
            figure = entry.draw(found, metric, mode) if entry.measured else entry.draw(found)
        except MissingLibrary as error:
            figure = blank(name.replace("_", " ").capitalize(), str(error))
        packed: dict[str, Any] = msgspec.json.decode(figure.to_json(validate=False))
        meta = packed["layout"].pop("meta", {})
        layout = {part: value for part, value in packed["layout"].items() if part not in {"template", "title"}}
        if name == "parallel_coordinate" and "blank" not in meta:
            meta |= _axes(found, metric, mode)
        return msgspec.json.encode({"name": name, "data": packed["data"], "layout": layout, "meta": meta})


def _axes(chronicle: Chronicle, metric: str | None, mode: str | None) -> dict[str, Any]:
    """Return what the axes of parallel coordinates stand for, so that a choice on them can choose runs."""
    import numpy as np

    goal = goal_for(chronicle, metric, mode)
    values = np.array(chronicle.values(goal.metric), dtype=np.float64)
    goals = [goal.metric, *(each.metric for each in chronicle.goals if each.metric != goal.metric)][:3]
    axes = [{"column": f"summary/{name}", "kind": "linear", "options": []} for name in goals]
    chosen = chosen_columns(chronicle, values, None, MOST_AXES)
    axes += [{"column": f"config/{each.name}", "kind": each.kind, "options": each.options} for each in chosen]
    return {"axes": axes}
