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
        found: what was found.
        most: the greatest value that will do.
        least: the smallest value that will do; with neither, what it is compared with is not installed.
        wanted: the target in words, where it is not just a number.
        ray: the same of Ray Tune.
        optuna: the same of Optuna.

    >>> Target("CPU, s", found=0.08, most=0.1).met
    True
    >>> Target("wall, s", found=0.2, wanted="1/20 of Ray's").met is None
    True
    """

    what: str
    found: float
    most: float | None = None
    least: float | None = None
    wanted: str = ""
    ray: float | None = None
    optuna: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether it is reached; None where that cannot be said."""
        if self.most is None and self.least is None:
            return None
        return (self.most is None or self.found <= self.most) and (self.least is None or self.found >= self.least)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        wanted = self.wanted or (f"<= {shown(self.most)}" if self.least is None else f">= {shown(self.least)}")
        more = {"ray": self.ray, "optuna": self.optuna}
        return {"what": self.what, "wanted": wanted, "found": self.found, "met": self.met, **more}


def shown(number: float | None) -> str:
    """Return *number* with three digits, or more if it is whole.

    >>> shown(1234567.0), shown(0.04567), shown(None)
    ('1 234 567', '0.0457', '')
    """
    if number is None:
        return ""
    if abs(number) >= 100 or float(number).is_integer():
        return f"{number:,.0f}".replace(",", " ")
    return f"{number:.3g}"


def table(lines: Iterable[dict[str, Any]]) -> str:
    """Return the targets of all benchmarks' lines, the peers beside them, and whether each was reached, as a table."""
    rows = [("benchmark", "what", "to reach", "Luthier", "", "Ray Tune", "Optuna")]
    for line in lines:
        for t in line["targets"]:
            said = "small" if line["quick"] else {True: "reached", False: "MISSED", None: "no peer"}[t["met"]]
            beside = shown(t["ray"]), shown(t["optuna"])
            rows.append((line["benchmark"], t["what"], t["wanted"], shown(t["found"]), said, *beside))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([texts[0], "-" * max(map(len, texts)), *texts[1:]])
