"""What the site does not write by hand: the status diagram, the reference, the list of decisions.

MkDocs calls the ``on_`` functions (``hooks:`` in ``mkdocs.yml``). Nothing here needs the network or a browser: the
diagram is SVG, made of text.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

from luthier.core.status import TRANSITIONS
from luthier.core.terms import Status

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

DOCS = Path(__file__).parent
SOURCES = DOCS.parent / "src" / "luthier"

DIAGRAM = "<!-- status diagram -->"
TABLE = "<!-- status table -->"


# -- MkDocs' hooks -----------------------------------------------------------------------------------------------------


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the reference and the decisions to the navigation."""
    reference = [{title: f"reference/{name}.md"} for name, title in packages().items()]
    decisions = [f"decisions/{page.name}" for page in sorted((DOCS / "decisions").glob("*.md"))]
    config.nav = [
        *(config.nav or []),
        {"Reference": reference},
        *([{"Decisions": decisions}] if decisions else []),
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add one page of reference per package."""
    for name in packages():
        files.append(File.generated(config, f"reference/{name}.md", content=reference_page(name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the diagram and the table where a page asks for them."""
    if DIAGRAM in markdown:
        markdown = markdown.replace(DIAGRAM, status_diagram())
    if TABLE in markdown:
        markdown = markdown.replace(TABLE, status_table())
    return markdown


# -- reference ---------------------------------------------------------------------------------------------------------


def packages() -> dict[str, str]:
    """Return the packages to document, from the top layer down, each with its title."""
    order = ["tune", "sweeps", "control", "callbacks", "execution", "worker", "store", "checkpoints", "simulation"]
    order += ["search", "schedulers", "core", "testing"]
    existing = {path.parent.name for path in SOURCES.glob("*/__init__.py")} - {"cli"}
    known = [name for name in order if name in existing]
    return {name: f"luthier.{name}" for name in [*known, *sorted(existing.difference(known))]}


def reference_page(package: str) -> str:
    """Return the Markdown of a package's page: the package, then every public module in it."""
    lines = [f"# luthier.{package}", ""]
    modules = sorted(path for path in (SOURCES / package).rglob("*.py") if not path.stem.startswith("_"))
    initial = sorted((SOURCES / package).rglob("__init__.py"))
    for path in sorted([*modules, *initial], key=lambda path: path.parent if path in initial else path):
        parts = path.relative_to(SOURCES).with_suffix("").parts
        lines.append("::: " + ".".join(["luthier", *(part for part in parts if part != "__init__")]))
        if path in initial:  # what it passes on is described where it is defined
            heading = path != SOURCES / package / "__init__.py"
            lines += ["    options:", f"      show_root_heading: {str(heading).lower()}", f"      members: {own(path)}"]
        lines.append("")
    return "\n".join(lines)


def own(path: Path) -> list[str]:
    """Return the public names that the module at *path* itself defines."""
    definitions = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    body = ast.parse(path.read_text("utf-8")).body
    return [node.name for node in body if isinstance(node, definitions) and not node.name.startswith("_")]


# -- the life of a trial, drawn from the table -------------------------------------------------------------------------

ENDED = "ENDED"  # the final statuses are one box: the event Ended says which of them it is


@dataclass
class Box:
    """A status, and what may happen in it without leaving it."""

    name: str
    notes: list[str] = field(default_factory=list)


def moves() -> tuple[dict[str, Box], dict[tuple[str, str], list[str]]]:
    """Return the boxes from top to bottom, and for each pair of them the events that lead from one to the other."""
    boxes = {status.name: Box(status.name) for status in Status if not status.final}
    final = [status.name for status in Status if status.final]
    boxes[ENDED] = Box(" · ".join(final))
    arrows: dict[tuple[str, str], list[str]] = {}
    for (before, event), after in TRANSITIONS.items():
        source, target = (ENDED if status.final else status.name for status in (before, after))
        labels = boxes[source].notes if source == target else arrows.setdefault((source, target), [])
        if event.__name__ not in labels:
            labels.append(event.__name__)
    return boxes, arrows


def status_diagram() -> str:
    """Return an SVG of the status table: ways down at the right, ways back up at the left.

    Each arrow that does not lead to the next box has a lane of its own; its label sits on the lane.
    """
    boxes, arrows = moves()
    row = {name: index for index, name in enumerate(boxes)}
    width, height, pitch, lane, port = 220, 44, 84, 84, 9
    near = {pair: labels for pair, labels in arrows.items() if row[pair[1]] == row[pair[0]] + 1}
    far = sorted((pair for pair in arrows if pair not in near), key=lambda pair: abs(row[pair[0]] - row[pair[1]]))
    down = [pair for pair in far if row[pair[0]] < row[pair[1]]]
    back = [pair for pair in far if row[pair[0]] > row[pair[1]]]
    left, right = 20 + lane * len(back), 20 + lane * len(back) + width
    total, tall = right + lane * len(down) + 30, pitch * len(boxes) - (pitch - height) + 20

    def middle(name: str) -> int:
        return 10 + row[name] * pitch + height // 2

    style = "max-width:100%;height:auto;font-family:inherit"
    tip = 'id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {total} {tall}" style="{style}"',
        'fill="none" stroke="currentColor">',
        "<title>The life of a trial</title>",
        f'<defs><marker {tip}><path d="M0,0 L8,4 L0,8 z" fill="currentColor" stroke="none"/></marker></defs>',
    ]
    for name, box in boxes.items():
        top = middle(name) - height // 2
        parts.append(f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="8"/>')
        parts.append(_text(left + width // 2, middle(name) - (3 if box.notes else -5), box.name, bold=True))
        if box.notes:
            parts.append(_text(left + width // 2, middle(name) + 14, "↻ " + ", ".join(box.notes), size=11))
    for (source, target), labels in near.items():
        x, top, end = left + width // 2, middle(source) + height // 2, middle(target) - height // 2
        parts.append(f'<path d="M{x},{top} V{end}" marker-end="url(#tip)"/>')
        parts.append(_text(x + 8, (top + end) // 2 + 4, ", ".join(labels), size=12, anchor="start"))
    for side, pairs in ((1, down), (-1, back)):
        for index, (source, target) in enumerate(pairs):
            edge = right if side > 0 else left
            x = edge + side * lane * (index + 1) - side * (lane // 3)
            shift = port * (index % 3 - 1)  # a port per lane, such that lanes do not cross at the target
            start, end = middle(source) + shift, middle(target) + side * shift
            turn = 8 if end > start else -8
            parts.append(
                f'<path d="M{edge},{start} H{x - side * 8} Q{x},{start} {x},{start + turn} '
                f'V{end - turn} Q{x},{end} {x - side * 8},{end} H{edge + side}" marker-end="url(#tip)"/>'
            )
            parts.append(_text(x, (start + end) // 2 + 4, ", ".join(arrows[source, target]), size=12, halo=True))
    parts.append("</svg>")
    return "\n".join(parts)


def _text(
    x: int, y: int, text: str, *, size: int = 14, anchor: str = "middle", bold: bool = False, halo: bool = False
) -> str:
    style = ";paint-order:stroke;stroke:var(--md-default-bg-color,white);stroke-width:6px" if halo else ";stroke:none"
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}"{weight} '
        f'style="fill:currentColor{style}">{escape(text)}</text>'
    )


def status_table() -> str:
    """Return the status table as Markdown, one row per status and event."""
    lines = ["| in status | on event | to status |", "|---|---|---|"]
    for (before, event), after in TRANSITIONS.items():
        target = "as the event says" if "status" in getattr(event, "__struct_fields__", ()) else f"`{after.name}`"
        lines.append(f"| `{before.name}` | [`{event.__name__}`][luthier.core.events.{event.__name__}] | {target} |")
    return "\n".join(lines)
