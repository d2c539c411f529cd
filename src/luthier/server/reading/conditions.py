"""Conditions on runs, as people type them: ``loss < 0.5``, ``state = running``, ``name ~ adam``."""

from __future__ import annotations

import difflib
import operator
import re
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core.errors import BadArgument
from luthier.core.goal import number

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}
_LONGEST = 2000
_CONDITION = re.compile(
    r"\s*(?P<column>[^<>=!~]*[^<>=!~\s])\s*(?P<how><=|>=|==|!=|<|>|=|~)\s*(?P<value>\S.*)", re.DOTALL
)
_PLACES = ("", "summary/", "config/")


class Condition(msgspec.Struct, frozen=True):
    """A column compared with a value; ``~`` asks whether a text contains another, whatever the case of its letters.

    ``=`` with a list in JSON (``config/opt = ["adam", "sgd"]``) asks for one of its values.
    """

    column: str
    how: str
    value: Any

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Return whether it holds for *row*; it never does where the value is missing.

        >>> parsed_condition("loss < 0.5", ["summary/loss"]).holds({"summary/loss": 0.25})
        True
        """
        found = row.get(self.column)
        if found is None:
            return False
        if self.how == "~":
            return str(self.value).lower() in str(found).lower()
        if isinstance(self.value, list):
            return any(_same(found, value) for value in self.value) is (self.how != "!=")
        left, right = _number(found), _number(self.value)
        if left is not None and right is not None:
            return _OPERATORS[self.how](left, right)
        return _OPERATORS[self.how](str(found), str(self.value))


def parsed_condition(text: str, columns: Collection[str]) -> Condition:
    """Return the condition that *text* spells; a metric or parameter of *columns* may be named without its prefix.

    Raises:
        BadArgument: it spells none, or there is no such column.

    >>> parsed_condition("lr>=0.1", ["config/lr"])
    Condition(column='config/lr', how='>=', value='0.1')
    """
    found = _CONDITION.fullmatch(text[:_LONGEST].strip())
    if found is None:
        raise BadArgument("filter", text, 'a column, one of < <= > >= = != ~ and a value, such as "loss < 0.5"')
    value: Any = found["value"].strip()
    if value[:1] in {'"', "["}:
        try:
            value = msgspec.json.decode(value)
        except ValueError as error:
            raise BadArgument("filter", text, 'a text in quotes, or a list such as ["adam", "sgd"]') from error
    return Condition(column_of(found["column"], columns), found["how"], value)


def column_of(name: str, columns: Collection[str], argument: str = "filter") -> str:
    """Return the column that *name* means.

    Raises:
        BadArgument: there is none.
    """
    for place in _PLACES:
        if place + name in columns:
            return place + name
    near = difflib.get_close_matches(name, [column.rpartition("/")[2] for column in columns] + list(columns), 1)
    there = ", ".join(list(columns)[:30])
    raise BadArgument(argument, name, f"{near[0]!r}, if you mean that" if near else f"one of {there}")


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return number(value)


def _same(one: object, other: object) -> bool:
    left, right = _number(one), _number(other)
    return left == right if left is not None and right is not None else str(one) == str(other)
