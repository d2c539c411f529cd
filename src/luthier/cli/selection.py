"""Choosing trials on the command line: columns by name, conditions, order."""

from __future__ import annotations

import difflib
import operator
import re
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.callbacks.spelling import plain_text
from luthier.cli.opened import Refused
from luthier.core.goal import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
}
_CONDITION = re.compile(r"^\s*(?P<column>.+?)\s*(?P<how><=|>=|==|!=|<|>|=)\s*(?P<value>.+?)\s*$")
_SHOWN = 30


class Condition(msgspec.Struct, frozen=True):
    """A column compared with a value."""

    column: str
    how: str
    value: str

    def holds(self, row: Mapping[str, Any], all_rows: Iterable[Mapping[str, Any]]) -> bool:
        """Return whether it holds for *row*; it never does where the value is missing."""
        name = self.column if self.column in row else column_of(self.column, all_rows)
        found = row.get(name)
        if found is None:
            return False
        compare = _OPERATORS[self.how]
        left, right = number(found), _as_number(self.value)
        if left is not None and right is not None and not isinstance(found, bool):
            return compare(left, right)
        return compare(str(found), self.value.strip("'\""))


def parsed(text: str) -> Condition:
    """Return the condition that *text* spells.

    Raises:
        Refused: it spells none.

    >>> parsed("loss<0.5")
    Condition(column='loss', how='<', value='0.5')
    """
    found = _CONDITION.match(text)
    if found is None:
        raise Refused(f'--filter "{text}": give a column, one of < <= > >= == != and a value, such as "loss < 0.5"')
    return Condition(found["column"], found["how"], found["value"])


def column_of(name: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the column that *name* means: a parameter may be named without ``config/``.

    Raises:
        Refused: there is none.

    >>> column_of("lr", [{"loss": 1, "config/lr": 0.1}])
    'config/lr'
    """
    names = dict.fromkeys(column for row in rows for column in row)
    if name in names:
        return name
    if f"config/{name}" in names:
        return f"config/{name}"
    near = difflib.get_close_matches(name, list(names), 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    there = ", ".join(plain_text(column) for column in list(names)[:_SHOWN])
    raise Refused(f"there is no column {name!r}: {hint}there are {there}")


def sorted_rows(rows: Sequence[dict[str, Any]], column: str, *, descending: bool) -> list[dict[str, Any]]:
    """Return *rows* by *column*, numbers before texts, missing values and NaN last in either direction."""
    numbers, texts, rest = [], [], []
    for row in rows:
        value = row.get(column)
        as_number = number(value)
        if as_number is not None and as_number == as_number:  # noqa: PLR0124 (NaN)
            numbers.append((as_number, row))
        elif value is None or as_number is not None:
            rest.append(row)
        else:
            texts.append((str(value), row))
    numbers.sort(key=lambda pair: pair[0], reverse=descending)
    texts.sort(key=lambda pair: pair[0], reverse=descending)
    return [*(row for _, row in numbers), *(row for _, row in texts), *rest]


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return {"true": 1.0, "false": 0.0}.get(text.lower())
