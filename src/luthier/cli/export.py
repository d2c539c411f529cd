"""``luthier export``: an experiment's trials, or all of their results, as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from luthier.callbacks.spelling import counted, flat
from luthier.cli.opened import Opened, Refused, local
from luthier.cli.table_file import check_target, write_table
from luthier.core import events as ev
from luthier.core.errors import LuthierError
from luthier.store.card import ExperimentCard
from luthier.store.jsonl import JsonlStore

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command(short_help="Trials, or all results, as a file.")
@click.argument("experiment")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--history", is_flag=True, help="All results that were reported, a row each, not just the trials.")
def export(experiment: str, file: str, history: bool) -> None:
    """Write the trials of EXPERIMENT (its directory) to FILE: .csv, .json, .jsonl or .parquet, as its name says.

    \b
    A row is a trial with its last metrics and its config; with --history it is a result.
    Parquet takes pyarrow: pip install 'luthier[parquet]'.

    \b
    Examples:
      luthier export ~/luthier_results/NAME trials.csv
      luthier export NAME results.parquet --history
    """  # noqa: D301 (a backspace tells click to keep the lines)
    check_target("FILE", file)
    if history:
        experiment = str(local(experiment))
        try:
            ExperimentCard.read(experiment, unpickle=False)
            count = write_table("FILE", file, lambda: results(experiment))
        except (LuthierError, KeyError, ValueError) as error:
            raise Refused(f"{experiment} cannot be read: {error}") from error
    else:
        trials = Opened(experiment).trials()
        count = write_table("FILE", file, lambda: trials)
    click.echo(f"{counted(count, 'result' if history else 'trial')} in {file}", err=True)


def results(experiment: str) -> Iterator[dict[str, Any]]:
    """Yield all that was reported, oldest first: trial, attempt, metrics, config under ``config/``, checkpoint.

    The log is read along; what is kept in memory grows with the trials, not with their results.
    """
    names: dict[str, str] = {}
    configs: dict[str, dict[str, Any]] = {}
    for record in JsonlStore(experiment, readonly=True, unpickle=False).read():
        for event in record.events:
            if isinstance(event, ev.Reported):
                metrics = {name: value for name, value in event.metrics.items() if name != "config"}
                yield {
                    "trial": names[event.trial],
                    "trial_id": event.trial,
                    "attempt": event.attempt,
                    **dict(flat(metrics)),
                    **configs[event.trial],
                    "checkpoint": event.checkpoint,
                }
            elif isinstance(event, ev.Proposed):
                names[event.trial] = event.label.name or event.trial
            elif isinstance(event, ev.Launched):
                configs[event.trial] = {f"config/{name}": value for name, value in flat(event.config)}
