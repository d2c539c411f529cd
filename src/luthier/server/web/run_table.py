"""The table of a sweep's runs as its page shows it: links that sort, filter, group and turn pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core.errors import BadArgument
from luthier.server.reading.shapes import Column
from luthier.server.reading.table import Wish, table
from luthier.server.web.looks import linked

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from luthier.server.reading.lineup import Lineup
    from luthier.server.reading.shapes import Group, RunTable

PAGE = 50
_PARAMETERS, _METRICS = 6, 2  # shown where nobody chose columns
_TIMES = frozenset({"created_at", "started_at", "heartbeat_at", "ended_at"})
_NEVER = frozenset({"id", "name", "number"})  # they are in the first column
_GROUPS_BY = ("state", "host", "group")
_CONDITIONS = 20


class Heading(msgspec.Struct, frozen=True):
    """The head of a column: where it leads, and how the table is sorted by it (``ascending``, ``descending``)."""

    column: Column
    link: str
    sorted: str | None
    look: str


class RunTableView:
    """What the template needs.

    Args:
        path: of the page.
        query: as the reader asked.
        lineup: the sweep's runs.

    Attributes:
        problem: what is wrong with the query; empty where nothing is.
    """

    def __init__(self, path: str, query: QueryParams, lineup: Lineup) -> None:
        self.path, self.problem = path, ""
        self.filters = [text for text in query.getlist("filter") if text.strip()][:_CONDITIONS]
        self.chosen = query.getlist("columns")[:200]
        self.group = query.get("group") or None
        self._sort = query.get("sort") or None
        self._descending = {"true": True, "false": False}.get(query.get("descending", ""))
        offset = query.get("offset", "0")
        self._offset = int(offset) if offset.isascii() and offset.isdigit() and len(offset) < 10 else 0  # noqa: PLR2004
        self.measured = None if lineup.metric is None else f"summary/{lineup.metric}"
        try:
            self.table = self._read(lineup)
        except BadArgument as error:
            self.problem = str(error)
            self.filters, self.chosen, self.group, self._sort, self._descending = [], [], None, None, None
            self.table = self._read(lineup)
        self.columns = [c for c in self.table.columns if c.name not in _NEVER]
        self.shown = self._shown(lineup)

    def _read(self, lineup: Lineup) -> RunTable:
        wish = Wish(
            sort=self._sort,
            descending=self._descending,
            filters=self.filters,
            columns=self.chosen,
            group=self.group,
            offset=self._offset,
            limit=PAGE,
        )
        return table(lineup, msgspec.structs.replace(wish, columns=()) if not self.chosen else wish)

    def _shown(self, lineup: Lineup) -> list[Column]:
        if self.chosen:
            names = set(self.table.rows[0] if self.table.rows else ()) | set(self.chosen)
            return [c for c in self.columns if c.name in names or c.label in self.chosen]
        parameters = [c.name for c in self.columns if c.kind == "config" and _varies(c.name, lineup)]
        metrics = [c.name for c in self.columns if c.kind == "summary" and c.name != self.measured]
        names = {"state", "runtime", "started_at", *parameters[:_PARAMETERS], *metrics[:_METRICS]}
        names |= {self.measured} if self.measured is not None else set()
        first = ("state", self.measured)
        return sorted((c for c in self.columns if c.name in names), key=lambda c: _place(c, first))

    def link(self, **changes: Any) -> str:
        """Return the page with something changed: ``sort``, ``descending``, ``filters``, ``group``, ``offset``."""
        now: dict[str, Any] = {
            "sort": self._sort,
            "descending": self._descending,
            "filters": self.filters,
            "group": self.group,
        }
        now |= {"columns": self.chosen, "offset": None} | changes
        descending = now["descending"]
        return linked(
            self.path,
            [
                ("sort", now["sort"]),
                ("descending", None if descending is None else str(bool(descending)).lower()),
                *(("filter", text) for text in now["filters"]),
                *(("columns", name) for name in now["columns"]),
                ("group", now["group"]),
                ("offset", now["offset"] or None),
            ],
        )

    def heading(self, column: Column | None) -> Heading:
        """Return the head of *column*; of the run's own where None."""
        name = "number" if column is None else column.name
        found = column or next(c for c in self.table.columns if c.name == "number")
        here = self.table.sort == name
        way = ("descending" if self.table.descending else "ascending") if here else None
        descending = not self.table.descending if here else False
        look = "time" if name in _TIMES else "lasted" if name == "runtime" else "state" if name == "state" else "value"
        return Heading(found, self.link(sort=name, descending=descending), way, look)

    @property
    def headings(self) -> list[Heading]:
        """The heads of all columns that are shown."""
        return [self.heading(column) for column in self.shown]

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """Fields of a form that keep what is chosen, but for the filter that it adds."""
        kept = [("sort", self._sort), ("group", self.group), *(("columns", name) for name in self.chosen)]
        if self._descending is not None:
            kept.append(("descending", str(self._descending).lower()))
        return [(name, value) for name, value in kept if value] + [("filter", text) for text in self.filters]

    def without(self, text: str) -> str:
        """Return the page without the filter *text*."""
        return self.link(filters=[each for each in self.filters if each != text])

    def within(self, group: Group) -> str:
        """Return the page with the runs of *group* alone."""
        value = msgspec.json.encode(group.value).decode() if isinstance(group.value, str) else str(group.value)
        return self.link(filters=[*self.filters, f"{self.table.group} = {value}"], group=None)

    @property
    def groupings(self) -> list[Column]:
        """The columns by which runs can be grouped."""
        return [c for c in self.columns if c.kind == "config" or c.name in _GROUPS_BY]

    @property
    def before(self) -> str | None:
        """The page before this one; None for the first."""
        return self.link(offset=max(0, self._offset - PAGE)) if self._offset > 0 else None

    @property
    def after(self) -> str | None:
        """The page after this one; None for the last."""
        return self.link(offset=self._offset + PAGE) if self._offset + PAGE < self.table.total else None

    @property
    def query(self) -> list[tuple[str, str]]:
        """What downloads are asked for with."""
        found = [("filter", text) for text in self.filters] + [("columns", name) for name in self.chosen]
        found += [("sort", self.table.sort), ("descending", str(self.table.descending).lower())]
        return found


def _varies(name: str, lineup: Lineup) -> bool:
    values = {repr(row.get(name)) for row in lineup.rows[:200]}
    return len(values) > 1 or len(lineup.rows) == 1


def _place(column: Column, first: tuple[str, str | None]) -> tuple[int, int]:
    if column.name in first:
        return 0, first.index(column.name)
    return {"config": 1, "summary": 2}.get(column.kind, 3), 0
