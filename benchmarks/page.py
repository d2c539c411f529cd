"""Puts the figures of a run into ``docs/explanation/speed.md``, between the page's two marks.

``make bench | tee run.txt``, then ``python -m benchmarks.page run.txt``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.target import shown

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "speed.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
SAID = {True: "reached", False: "**missed**", None: ""}


def figures(text: str) -> str:
    """Return the table of a run's lines of JSON, and on what it was measured."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines() if line.startswith('{"benchmark"')]
    rows = ["| what | to reach | Luthier | | Ray Tune | Optuna |", "|---|---|---|---|---|---|"]
    for line in lines:
        for t in line["targets"]:
            said = SAID[t["met"]]
            cells = (t["what"], t["wanted"], shown(t["found"]), said, shown(t["ray"]), shown(t["optuna"]))
            rows.append(f"| {line['benchmark']}: {' | '.join(cells)} |")
    machine = lines[0]["machine"]
    loads = [line["machine"]["load"] for line in lines]
    hardware = f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']:.0f} GB, {machine['system']}"
    software = f"Python {machine['python']}, Ray {machine['ray']}, Optuna {machine['optuna']}"
    busy = f"Load average when a benchmark began: {min(loads):g} to {max(loads):g}."
    rows += ["", f"{hardware}; {software}. {busy}"]
    return "\n".join(rows)


def replaced(page: str, table: str) -> str:
    r"""Return *page* with *table* between its marks.

    >>> replaced(f"a{BEGIN}old{END}b", "new")
    'a<!-- figures -->\n\nnew\n\n<!-- end of figures -->b'
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def main() -> None:
    text = figures(Path(sys.argv[1]).read_text("utf-8"))
    PAGE.write_text(replaced(PAGE.read_text("utf-8"), text), "utf-8")


if __name__ == "__main__":
    main()
