"""What is to be reached, and whether it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Target:
    """One number that a benchmark is to reach.

    Args:
        what: what is measured, with its unit.
        found: what was found; None where the peer that it is compared with is not installed.
        most: the greatest value that will do.
        least: the smallest value that will do.

    >>> Target("CPU, s", found=0.08, most=0.1).met
    True
    >>> Target("trials/s", found=None, least=60).met is None
    True
    """

    what: str
    found: float | None
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether it is reached; None where that cannot be said."""
        if self.found is None:
            return None
        return (self.most is None or self.found <= self.most) and (self.least is None or self.found >= self.least)

    @property
    def wanted(self) -> str:
        """The target in words."""
        return f"<= {shown(self.most)}" if self.least is None else f">= {shown(self.least)}"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"what": self.what, "wanted": self.wanted, "found": self.found, "met": self.met}


def shown(number: float | None) -> str:
    """Return *number* with three digits, or more if it is whole.

    >>> shown(1234567.0), shown(0.04567), shown(None)
    ('1 234 567', '0.0457', '?')
    """
    if number is None:
        return "?"
    if abs(number) >= 100 or float(number).is_integer():
        return f"{number:,.0f}".replace(",", " ")
    return f"{number:.3g}"


def table(lines: Iterable[dict[str, Any]]) -> str:
    """Return the targets of all benchmarks' lines, and whether each was reached, as a table."""
    rows = [("benchmark", "what", "to reach", "found", "")]
    for line in lines:
        for target in line["targets"]:
            said = {True: "reached", False: "MISSED", None: "no peer"}[target["met"]]
            rows.append((line["benchmark"], target["what"], target["wanted"], shown(target["found"]), said))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([texts[0], "-" * max(map(len, texts)), *texts[1:]])
