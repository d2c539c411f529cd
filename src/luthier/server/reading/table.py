"""A table of runs: sorted, filtered, grouped, cut into pages; by any metric or parameter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core.goal import number
from luthier.core.terms import AUTOMATIC
from luthier.server.reading.conditions import column_of, parsed_condition
from luthier.server.reading.plain import numeric
from luthier.server.reading.shapes import Column, Group, RunTable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luthier.server.reading.lineup import Lineup

MOST = 1000
_GROUPS = 200
_LABELS = {
    "number": "#", "id": "run", "started_at": "started", "ended_at": "ended", "created_at": "created",
    "agent_id": "agent", "heartbeat_at": "heard of", "exit_code": "exit code",
}  # fmt: skip
_NUMBERS = frozenset(
    {"number", "attempt", "created_at", "started_at", "heartbeat_at", "ended_at", "rows", "exit_code", "runtime"}
)
_ALWAYS = ("id", "number", "name", "state")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a table is to show.

    Attributes:
        sort: the column to sort by; the sweep's metric, the best first, where None, or else the number.
        descending: whether the greatest come first; as suits the column where None.
        filters: conditions; all of them hold for each row.
        columns: which columns; all where empty.
        group: the column whose values make groups.
        deleted: whether deleted runs are shown.
        offset: how many rows to pass over.
        limit: how many rows at most.
    """

    sort: str | None = None
    descending: bool | None = None
    filters: Sequence[str] = ()
    columns: Sequence[str] = ()
    group: str | None = None
    deleted: bool = False
    offset: int = 0
    limit: int = 50


def table(lineup: Lineup, wish: Wish) -> RunTable:
    """Return the rows of *lineup* that *wish* asks for.

    Raises:
        BadArgument: a column is unknown, or a filter says nothing.
    """
    rows, sort, descending = chosen(lineup, wish)
    group, groups = None, []
    if wish.group:
        group = column_of(wish.group, lineup.columns, "group")
        groups = _groups(rows, group, lineup)
    names = shown_columns(lineup, wish)
    offset = max(0, wish.offset)
    cut = rows[offset : offset + max(0, min(wish.limit, MOST))]
    return RunTable(
        there=sum(row["state"] != "deleted" for row in lineup.rows),
        total=len(rows),
        offset=offset,
        sort=sort,
        descending=descending,
        columns=[_column(name, lineup.rows) for name in lineup.columns],
        rows=[{name: row[name] for name in names if row.get(name) is not None} for row in cut],
        group=group,
        groups=groups,
    )


def shown_columns(lineup: Lineup, wish: Wish) -> list[str]:
    """Return the names of the columns that *wish* asks for, those that say which run it is among them."""
    if not wish.columns:
        return list(lineup.columns)
    return list(dict.fromkeys([*_ALWAYS, *(column_of(name, lineup.columns, "columns") for name in wish.columns)]))


def chosen(lineup: Lineup, wish: Wish) -> tuple[list[dict[str, Any]], str, bool]:
    """Return all rows that pass the filters, in order; by which column, and whether the greatest come first."""
    rows: Iterable[dict[str, Any]] = lineup.rows
    if not wish.deleted:
        rows = [row for row in rows if row["state"] != "deleted"]
    for text in wish.filters:
        if text.strip():
            condition = parsed_condition(text, lineup.columns)
            rows = [row for row in rows if condition.holds(row)]
    measured = None if lineup.metric is None else f"summary/{lineup.metric}"
    if wish.sort:
        sort = column_of(wish.sort, lineup.columns, "sort")
    else:
        sort = measured if measured in lineup.columns and measured is not None else "number"
    descending = (sort == measured and lineup.mode == "max") if wish.descending is None else wish.descending
    return sorted_rows(rows, sort, descending=descending), sort, descending


def sorted_rows(rows: Iterable[dict[str, Any]], column: str, *, descending: bool) -> list[dict[str, Any]]:
    """Return *rows* by *column*: numbers before texts; what is missing and NaN last in either direction.

    >>> [row.get("a") for row in sorted_rows([{}, {"a": "NaN"}, {"a": 1}, {"a": "x"}, {"a": 2}], "a", descending=True)]
    [2, 1, 'x', None, 'NaN']
    """
    numbers: list[tuple[float, dict[str, Any]]] = []
    texts: list[tuple[str, dict[str, Any]]] = []
    rest = []
    for row in rows:
        value = row.get(column)
        if value is None or value == "NaN":
            rest.append(row)
        elif numeric(value):
            numbers.append((_float(value), row))
        else:
            texts.append((str(value), row))
    numbers.sort(key=lambda pair: pair[0], reverse=descending)
    texts.sort(key=lambda pair: pair[0], reverse=descending)
    return [row for _, row in numbers] + [row for _, row in texts] + rest


def _groups(rows: list[dict[str, Any]], column: str, lineup: Lineup) -> list[Group]:
    measured = f"summary/{lineup.metric}"
    by_value: dict[str, tuple[Any, list[dict[str, Any]]]] = {}
    for row in rows:
        value = row.get(column)
        by_value.setdefault(repr(value), (value, []))[1].append(row)
    found = []
    for value, members in by_value.values():
        counts: dict[str, int] = {}
        for row in members:
            counts[row["state"]] = counts.get(row["state"], 0) + 1
        known = [_float(v) for row in members if (v := row.get(measured)).__class__ in {int, float}]
        best = (max(known) if lineup.mode == "max" else min(known)) if known else None
        mean = math.fsum(known) / len(known) if known else None
        finite = mean if mean is not None and math.isfinite(mean) else None
        found.append(Group(value=value, runs=len(members), counts=counts, best=best, mean=finite))
    return sorted(found, key=lambda group: -group.runs)[:_GROUPS]


def _column(name: str, rows: list[dict[str, Any]]) -> Column:
    kind, _, label = name.partition("/")
    if not label:
        return Column(name=name, label=_LABELS.get(name, name), kind="field", numeric=name in _NUMBERS)
    first = next((value for row in rows if (value := row.get(name)) is not None), None)
    return Column(name=name, label=label, kind="automatic" if label in AUTOMATIC else kind, numeric=numeric(first))


def _float(value: Any) -> float:
    found = float(value) if isinstance(value, str) else number(value)
    return math.nan if found is None else found
