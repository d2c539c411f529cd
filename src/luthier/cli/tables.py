"""Tables as aligned text, which a terminal and a file can hold alike."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import click

from luthier.callbacks.spelling import cut, plain_text, short

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDEST, _ENDLESS = 40, 10_000
_GAP = "  "


def aligned(columns: Sequence[str], rows: Sequence[Sequence[object]], width: int | None = None) -> list[str]:
    """Return a table as lines, the head first; numbers stand to the right.  Columns beyond *width* are left out.

    Text in the last column takes what room there is: all of it where *width* is None.

    >>> aligned(["trial", "loss"], [["t0", 0.5], ["t1", 10.25]])
    ['trial   loss', 't0       0.5', 't1     10.25']
    """
    heads = [cut(plain_text(column), _WIDEST) for column in columns]
    cells = [[short(value, _WIDEST) for value in row] for row in rows]
    if width is None and columns:
        _widen(cells, rows, _ENDLESS)
    elif columns:
        others = sum(max(len(heads[i]), *(len(row[i]) for row in cells), 0) + len(_GAP) for i in range(len(heads) - 1))
        if (width or 0) - others > _WIDEST // 2:
            _widen(cells, rows, (width or 0) - others)
    widths = [max(len(head), *(len(row[i]) for row in cells), 0) for i, head in enumerate(heads)]
    right = [
        any(map(_is_number, values)) and all(v is None or _is_number(v) for v in values)
        for values in ([row[i] for row in rows] for i in range(len(columns)))
    ]
    shown, taken = 0, -len(_GAP)
    for each in widths:
        taken += each + len(_GAP)
        if width is not None and taken > width and shown:
            break
        shown += 1
    return [
        _GAP.join(
            cell.rjust(w) if r else cell.ljust(w) for cell, w, r in list(zip(line, widths, right, strict=True))[:shown]
        ).rstrip()
        for line in [heads, *cells]
    ]


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, as wide as the terminal at most; all of it where output goes into a file."""
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    head, *lines = aligned(columns, rows, width)
    click.echo(click.style(head, bold=True))
    for line in lines:
        click.echo(line)


def _widen(cells: list[list[str]], rows: Sequence[Sequence[object]], width: int) -> None:
    for line, row in zip(cells, rows, strict=True):
        if isinstance(row[-1], str):
            line[-1] = short(row[-1], width)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
