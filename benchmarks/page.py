"""Puts the figures of a run into ``docs/explanation/speed.md``, between the page's two marks.

``make bench | tee run.txt``, then ``python -m benchmarks.page run.txt``.  A run of some benchmarks replaces the rows of
these.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.target import shown

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "speed.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
HEAD = ["| what | to reach | Luthier | | Ray Tune | Optuna |", "|---|---|---|---|---|---|"]
SAID = {True: "reached", False: "**missed**", None: ""}


def figures(text: str, page: str = "") -> str:
    """Return the table of a run's lines of JSON, and on what it was measured.

    Of benchmarks that the run left out, the rows that *page* has stay, and what is said there of their machine.
    """
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines() if line.startswith('{"benchmark"')]
    names = [line["benchmark"] for line in lines]
    rows, said = _kept(page, names)
    for line in lines:
        for t in line["targets"]:
            met = SAID[t["met"]]
            cells = (t["what"], t["wanted"], shown(t["found"]), met, shown(t["ray"]), shown(t["optuna"]))
            rows.append(f"| {line['benchmark']}: {' | '.join(cells)} |")
    machine = lines[0]["machine"]
    loads = [line["machine"]["load"] for line in lines]
    hardware = f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']:.0f} GB, {machine['system']}"
    software = f"Python {machine['python']}, Ray {machine['ray']}, Optuna {machine['optuna']}"
    busy = f"Load average when a benchmark began: {min(loads):g} to {max(loads):g}."
    only = f"{', '.join(names)}: " if said else ""
    said.append(f"{only}{hardware}; {software}. {busy}")
    return "\n\n".join(["\n".join([*HEAD, *rows]), *said])


def _kept(page: str, names: list[str]) -> tuple[list[str], list[str]]:
    """Return the rows on *page* of other benchmarks than *names*, and what is said below the table of theirs."""
    _, _, rest = page.partition(BEGIN)
    old = rest.partition(END)[0].strip().splitlines()
    rows = [line for line in old if line.startswith("| ") and line not in HEAD]
    rows = [row for row in rows if row[2:].partition(":")[0] not in names]
    said = [line for line in old if line and not line.startswith("|") and not line.startswith(f"{', '.join(names)}: ")]
    return rows, said if rows else []


def replaced(page: str, table: str) -> str:
    r"""Return *page* with *table* between its marks.

    >>> replaced(f"a{BEGIN}old{END}b", "new")
    'a<!-- figures -->\n\nnew\n\n<!-- end of figures -->b'
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def main() -> None:
    page = PAGE.read_text("utf-8")
    PAGE.write_text(replaced(page, figures(Path(sys.argv[1]).read_text("utf-8"), page)), "utf-8")


if __name__ == "__main__":
    main()
