"""``luthier ls``: the experiments in a directory, or the trials of one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from luthier.callbacks.board import best_of
from luthier.callbacks.spelling import duration
from luthier.cli.opened import Opened, Refused, existing, is_experiment
from luthier.cli.show import print_trials
from luthier.cli.tables import print_table
from luthier.cli.urls import experiments_at, holds_experiment
from luthier.tune.staging import is_url

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEPTH = 3


@click.command(short_help="Experiments in a directory, or the trials of one.")
@click.argument("directory", default=".")
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Show so many rows at most.")
def ls(directory: str, limit: int | None) -> None:
    """List the experiments in DIRECTORY, newest first; or the trials, where DIRECTORY is an experiment.

    \b
    Examples:
      luthier ls ~/luthier_results
      luthier ls s3://bucket/results
      luthier ls ~/luthier_results/train_2026-01-31_10-00-00
    """  # noqa: D301 (a backspace tells click to keep the lines)
    here = not is_url(directory)
    path = existing(directory) if here else Path()
    if is_experiment(path) if here else holds_experiment(directory):
        opened = Opened(path if here else directory)
        print_trials(opened, opened.trials(), limit=limit)
        return
    found: Sequence[str | Path] = _experiments(path, _DEPTH) if here else experiments_at(directory)
    if not found:
        raise Refused(f"there is no experiment in {directory}. Give the directory that fit() printed, or one above it.")
    rows, broken = [], []
    for each in found:
        try:
            opened = Opened(each)
        except Refused as refused:
            broken.append(refused.message)
            continue
        name = str(opened.directory.relative_to(path)) if here else opened.directory.name
        rows.append((opened.card.created, _row(opened, name)))
    rows.sort(key=lambda row: -row[0])
    if rows:
        print_table(["experiment", "when", "took", "state", "trials", "best"], [row for _, row in rows[:limit]])
    for message in broken:
        click.echo(f"unreadable: {message}", err=True)


def _row(opened: Opened, name: str) -> list[object]:
    goal, best = opened.goal, ""
    if goal is not None:
        scored = [(t.score, t.number, t.id) for t in opened.experiment.trials.values() if t.score is not None]
        told = best_of(opened.experiment, min(scored)[2]) if scored else None
        best = f"{goal.metric}={told.value:.5g}" if told else ""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(opened.card.created))
    return [name, when, duration(opened.elapsed), opened.state, opened.counts(), best]


def _experiments(path: Path, depth: int) -> list[Path]:
    found: list[Path] = []
    try:
        below = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return found
    for each in below:
        if is_experiment(each):
            found.append(each)
        elif depth > 1:
            found += _experiments(each, depth - 1)
    return found
