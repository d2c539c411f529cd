"""``luthier show --lineage``: who went on from whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from luthier.callbacks.lineage_picture import lineage_picture
from luthier.callbacks.lineage_tree import lineage_tree
from luthier.callbacks.spelling import counted
from luthier.cli.opened import Refused

if TYPE_CHECKING:
    from luthier.cli.opened import Opened


def show_lineage(opened: Opened, output: str | None) -> None:
    """Print the lineage of what was *opened* as a tree, or write it to *output* as a picture.

    Raises:
        Refused: *output* is no .svg, or cannot be written.
    """
    lineage = opened.lineage()
    if output is None:
        for line in lineage_tree(lineage, opened.goal.metric if opened.goal else None):
            click.echo(line)
        return
    if Path(output).suffix.lower() != ".svg":
        raise Refused(f"--output {output}: with --lineage give a file that ends in .svg")
    try:
        Path(output).write_text(lineage_picture(lineage, opened.card.name), encoding="utf-8")
    except OSError as error:
        raise Refused(f"--output {output} cannot be written: {error.strerror or error}") from error
    click.echo(
        f"{counted(len(lineage.trials), 'trial')}, {counted(len(lineage.handovers), 'handover')} in {output}", err=True
    )
