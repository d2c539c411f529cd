"""``luthier show``: one experiment, its trials, its best, what failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from luthier.callbacks.failures import failure_lines
from luthier.callbacks.row_text import plain
from luthier.callbacks.spelling import counted, duration, flat, plain_text, short
from luthier.callbacks.summary import Summary, summarize
from luthier.cli.explain import explain
from luthier.cli.follow import follow as follow_on
from luthier.cli.lineage import show_lineage
from luthier.cli.opened import LABELS, Opened, Refused
from luthier.cli.selection import Condition, column_of, parsed, sorted_rows
from luthier.cli.table_file import check_target, write_table
from luthier.cli.tables import print_table
from luthier.core.terms import AUTOMATIC, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from click import Context, Parameter

_LIMIT = 20
_STOPPED = LABELS[Status.STOPPED]
_ABOUT = frozenset({"trial", "status", "attempts", "reports", "started", "ended", "reason", "folder"})


def _conditions(_context: Context, _parameter: Parameter, texts: Iterable[str]) -> list[Condition]:
    return [parsed(text) for text in texts]


@click.command(short_help="Trials, the best one, what failed.")
@click.argument("experiment")
@click.option("--sort", metavar="COLUMN", default=None, help="Sort by this column; the metric by default.")
@click.option("--desc", is_flag=True, help="Largest first.")
@click.option("--limit", type=click.IntRange(min=1), default=None, help=f"Show so many trials; {_LIMIT} by default.")
@click.option("--columns", metavar="A,B,...", default=None, help="Show these columns.")
@click.option("--filter", "conditions", metavar="CONDITION", multiple=True, callback=_conditions,
              help='Only trials for which this holds, e.g. "loss < 0.5"; may be given several times.')  # fmt: skip
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    default=None,
    help="Write all columns to this file: .csv, .json, .jsonl or .parquet.",
)
@click.option(
    "--trial", metavar="NAME", default=None, help="Show every decision about one trial (its name or number), and why."
)
@click.option("--failures", is_flag=True, help="Show what went wrong, with the first traceback of each kind.")
@click.option("--lineage", is_flag=True, help="Show which trials went on from which; --output FILE.svg draws it.")
@click.option("--json", "as_json", is_flag=True, help="Print all there is as JSON; also of --trial and --lineage.")
@click.option("--follow", is_flag=True, help="Go on showing it as it runs, each second, until it ends or Ctrl-C.")
def show(
    *,
    experiment: str,
    sort: str | None,
    desc: bool,
    limit: int | None,
    columns: str | None,
    conditions: list[Condition],
    output: str | None,
    trial: str | None,
    failures: bool,
    lineage: bool,
    as_json: bool,
    follow: bool,
) -> None:
    """Show the trials of EXPERIMENT (its directory), the best one, and what failed.

    \b
    Columns are metrics (loss, eval/loss) and parameters (config/lr, or lr).

    \b
    Examples:
      luthier show ~/luthier_results/NAME
      luthier show NAME --filter "loss < 0.5" --filter "config/layers == 2" --sort time_total_s
      luthier show NAME --output trials.csv
      luthier show NAME --trial train_x_00003
      luthier show NAME --failures
      luthier show NAME --lineage --output lineage.svg
      luthier show NAME --follow
    """  # noqa: D301 (a backspace tells click to keep the lines)
    if trial is not None:
        explain(Opened(experiment), trial, as_json=as_json)
        return
    if lineage:
        show_lineage(Opened(experiment), output, as_json=as_json)
        return
    if output is not None:
        check_target("--output", output)
    if follow and (sort or desc or limit or columns or conditions or output or failures or as_json):
        raise Refused("--follow shows an experiment as its driver does: give no other option beside it")
    opened = Opened(experiment)
    if follow and opened.running:
        follow_on(opened)
        return
    summary = summarize(opened.experiment, elapsed=opened.elapsed, directory=str(opened.directory))
    if failures:
        _print_failures(summary)
        return
    trials = opened.trials()
    rows = [row for row in trials if all(condition.holds(row, trials) for condition in conditions)]
    rows = _sorted(opened, rows, trials, sort, descending=desc)
    if output is not None:
        chosen_rows = rows[:limit]
        count = write_table("--output", output, lambda: chosen_rows)
        click.echo(f"{counted(count, 'trial')} in {output}", err=True)
        return
    if as_json:
        click.echo(json.dumps(_told(opened, summary, rows[:limit]), indent=2, default=str))
        return
    _print_head(opened, summary)
    chosen = None if columns is None else [column_of(name.strip(), trials) for name in columns.split(",")]
    print_trials(opened, rows, columns=chosen, limit=limit or _LIMIT)
    if summary.failures:
        click.echo("\nWhat went wrong (luthier show --failures tells more):")
        for line in failure_lines(summary.failures):
            click.echo(line)


def print_trials(
    opened: Opened, rows: Sequence[dict[str, Any]], *, columns: Sequence[str] | None = None, limit: int | None = None
) -> None:
    """Print *rows* as a table."""
    if not rows:
        click.echo("no trials" if not len(opened.experiment) else "no trial fits the filter")
        return
    shown = rows[:limit]
    names = list(columns) if columns is not None else _columns(opened, shown)
    heads, cells = (
        [name.removeprefix("config/") for name in names],
        [[row.get(name) for name in names] for row in shown],
    )
    whys = [row["reason"] if row["status"] == _STOPPED else None for row in shown]
    if columns is None and any(whys):
        heads, cells = [*heads, "why"], [[*line, why] for line, why in zip(cells, whys, strict=True)]
    print_table(heads, cells)
    if len(shown) < len(rows):
        click.echo(f"... and {len(rows) - len(shown)} more (--limit {len(rows)})")


def _columns(opened: Opened, rows: Sequence[dict[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(name for row in rows for name in row if name not in _ABOUT))
    goals = [goal.metric for goal in opened.experiment.goals]
    automatic = [name for name in ("training_iteration", "time_total_s") if name in names]
    metrics = [n for n in names if not n.startswith("config/") and n not in AUTOMATIC and n not in goals]
    parameters = [n for n in names if n.startswith("config/")]
    varied = [n for n in parameters if len({short(row.get(n)) for row in rows}) > 1]
    return ["trial", "status", *automatic, *goals, *metrics[:6], *(varied or parameters)]


def _sorted(
    opened: Opened, rows: list[dict[str, Any]], trials: list[dict[str, Any]], sort: str | None, *, descending: bool
) -> list[dict[str, Any]]:
    if sort is not None:
        return sorted_rows(rows, column_of(sort, trials), descending=descending)
    goal = opened.goal
    if goal is None:
        return rows[::-1] if descending else rows
    largest_first = (goal.mode == "max") != descending
    return sorted_rows(rows, goal.metric, descending=largest_first)


def _print_head(opened: Opened, summary: Summary) -> None:
    card = opened.card
    click.echo(f"{plain_text(card.name)}: {opened.state}, {counted(len(opened.experiment), 'trial')} of "
               f"{plain_text(card.trainable)} in {duration(opened.elapsed)}: {opened.counts()}")  # fmt: skip
    if opened.failure:
        click.echo(f"failed: {plain_text(opened.failure)}")
    if summary.best is not None:
        best = summary.best
        click.echo(f"best: {plain_text(best.name)} with {plain_text(best.metric)} = {short(best.value)}")
        for name, value in flat(summary.config):
            click.echo(f"    {plain_text(name)} = {short(value, 80)}")
    elif summary.metric is not None and len(opened.experiment):
        click.echo(f"no trial has reported {summary.metric!r}")
    if summary.search:
        click.echo(f"chosen by: {summary.search}")
    click.echo("")


def _print_failures(summary: Summary) -> None:
    if not summary.failures:
        click.echo("nothing went wrong")
        return
    for group in summary.failures:
        names = ", ".join(map(plain_text, group.trials[:10])) + (", ..." if len(group.trials) > 10 else "")  # noqa: PLR2004
        click.echo(click.style(f"{counted(len(group.trials), 'trial')}: {group.error}", bold=True))
        click.echo(f"  {names}")
        for line in group.text.rstrip().splitlines():
            click.echo(f"  | {plain_text(line)}")
        if group.folder:
            click.echo(f"  in {plain_text(str(Path(summary.directory) / group.folder / 'error.txt'))}")
        click.echo("")


def _told(opened: Opened, summary: Summary, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    best = summary.best
    return {
        "name": opened.card.name,
        "directory": str(opened.directory),
        "trainable": opened.card.trainable,
        "state": opened.state,
        "metrics": opened.card.metrics,
        "modes": opened.card.modes,
        "counts": summary.counts,
        "elapsed": opened.elapsed,
        "best": None if best is None else {"trial": best.name, "value": best.value, "config": plain(summary.config)},
        "choosers": [{"from": number, **plain(why)} for number, why in opened.experiment.choosers],
        "failures": [{"error": g.error, "trials": g.trials, "text": g.text} for g in summary.failures],
        "trials": [plain(row) for row in rows],
    }
