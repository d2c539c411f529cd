"""``luthier show --lineage``: who went on from whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from luthier.callbacks.lineage_picture import lineage_picture
from luthier.callbacks.lineage_tree import lineage_tree
from luthier.callbacks.row_text import plain
from luthier.callbacks.spelling import counted
from luthier.cli.opened import Refused

if TYPE_CHECKING:
    from luthier.cli.opened import Opened
    from luthier.core.lineage import Lineage


def show_lineage(opened: Opened, output: str | None, *, as_json: bool = False) -> None:
    """Print the lineage of what was *opened* as a tree or as JSON, or write it to *output* as a picture.

    Raises:
        Refused: *output* is no .svg, or cannot be written.
    """
    lineage = opened.lineage()
    if as_json:
        click.echo(json.dumps(_told(opened, lineage), indent=2, default=str))
        return
    if output is None:
        for line in lineage_tree(lineage, opened.goal.metric if opened.goal else None):
            click.echo(line)
        return
    if Path(output).suffix.lower() != ".svg":
        raise Refused(f"--output {output}: with --lineage give a file that ends in .svg")
    try:
        Path(output).write_text(lineage_picture(lineage, opened.card.name, opened.goal), encoding="utf-8")
    except OSError as error:
        raise Refused(f"--output {output} cannot be written: {error.strerror or error}") from error
    click.echo(
        f"{counted(len(lineage.trials), 'trial')}, {counted(len(lineage.handovers), 'handover')} in {output}", err=True
    )


def _told(opened: Opened, lineage: Lineage) -> dict[str, Any]:
    last = {life.trial: life for life in lineage.lives}
    return {
        "name": opened.card.name,
        "trials": [
            {
                "trial": trial,
                "name": lineage.label(trial).name or trial,
                "training_iteration": last[trial].end,
                "weights_of": lineage.root(last[trial]).trial,
                "config": plain(last[trial].config),
                "metrics": plain(last[trial].metrics),
            }
            for trial in lineage.trials
        ],
        "handovers": [
            {
                "source": handover.source,
                "follower": handover.target,
                "time": handover.time,
                "source_iteration": handover.source_iteration,
                "follower_iteration": handover.iteration,
                "old": plain(handover.why.get("old") or {}),
                "new": plain(handover.why.get("new") or {}),
                "operations": plain(handover.why.get("operations") or {}),
            }
            for handover in lineage.handovers
        ],
    }
