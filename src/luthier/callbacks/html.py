"""Tables as HTML that stands by itself: for notebooks, and for whatever shows a result's ``_repr_html_``."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from luthier.callbacks.spelling import counted, flat, short
from luthier.core.terms import AUTOMATIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from luthier.callbacks.board import Snapshot


_ROWS = 100
_STYLE = (
    "<style>.luthier{font-family:sans-serif;font-size:13px}.luthier table{border-collapse:collapse}"
    ".luthier th,.luthier td{padding:2px 8px;text-align:left;border-bottom:1px solid rgba(128,128,128,.3)}"
    ".luthier .note{opacity:.7}.luthier .failed{color:#c62828}</style>"
)


def table_html(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; every cell is escaped.

    >>> table_html(["a"], [["<b>"]])
    '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def snapshot_html(snapshot: Snapshot) -> str:
    """Return what the live table shows."""
    parts = [f"<b>{escape(snapshot.progress)}</b>"]
    if snapshot.best is not None:
        best = snapshot.best
        parts.append(escape(f"best {best.metric} = {short(best.value)}: {best.name} ({best.config})"))
    parts += [f'<span class="note">{escape(line)}</span>' for line in snapshot.waits]
    if snapshot.rows:
        parts.append(table_html(snapshot.columns, [row.cells for row in snapshot.rows]))
    if snapshot.left_out > 0 and snapshot.rows:
        parts.append(f'<span class="note">... and {snapshot.left_out} more</span>')
    return _whole(parts)


def summary_html(lines: Iterable[str]) -> str:
    """Return the lines of a summary."""
    return _whole([f"<pre>{escape(chr(10).join(lines))}</pre>"])


def results_html(rows: Sequence[Mapping[str, object]], title: str = "") -> str:
    """Return result rows (Ray's shape: metrics, and the config under ``config``) as a table.

    Columns are the trial's id, what varies or is no automatic field, and the parameters; at most 100 rows are shown.

    >>> "&lt;script&gt;" in results_html([{"trial_id": "t0", "note": "<script>", "config": {}}])
    True
    """
    shown = rows[:_ROWS]
    flattened = [dict(flat(dict(row))) for row in shown]
    names = dict.fromkeys(name for row in flattened for name in row)
    metrics = [n for n in names if n.split("/")[0] not in AUTOMATIC]
    parameters = [n for n in names if n.startswith("config/")]
    counted_columns = [n for n in ("trial_id", "training_iteration", "time_total_s") if n in names]
    columns = [*counted_columns[:1], *metrics, *counted_columns[1:], *parameters]
    cells = [[short(row.get(name)) for name in columns] for row in flattened]
    heads = [name.removeprefix("config/") for name in columns]
    parts = [f"<b>{escape(title or counted(len(rows), 'result'))}</b>", table_html(heads, cells)]
    if len(rows) > len(shown):
        parts.append(f'<span class="note">... and {len(rows) - len(shown)} more</span>')
    return _whole(parts)


def _whole(parts: Iterable[str]) -> str:
    return f'{_STYLE}<div class="luthier">' + "".join(f"<div>{part}</div>" for part in parts) + "</div>"
