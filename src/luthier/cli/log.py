"""``luthier log``: what happened in an experiment, in order."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

import click
import msgspec

from luthier.callbacks.failures import headline
from luthier.callbacks.spelling import configured, cut, plain_text, short
from luthier.cli.opened import Refused, local
from luthier.core.errors import LuthierError
from luthier.core.resources import spelled
from luthier.core.terms import AUTOMATIC
from luthier.store.card import ExperimentCard
from luthier.store.jsonl import JsonlStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luthier.core.events import Event


@click.command(short_help="What happened, in order.")
@click.argument("experiment")
@click.option("--trial", default=None, help="Only what happened to this trial (its id, or the end of it).")
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Only the last so many events.")
@click.option("--full", is_flag=True, help="Do not shorten long values.")
def log(experiment: str, trial: str | None, limit: int | None, full: bool) -> None:
    """Print the events of EXPERIMENT (its directory): number, time, what happened, to which trial.

    \b
    Examples:
      luthier log ~/luthier_results/NAME --limit 20
      luthier log NAME --trial 00003
    """  # noqa: D301 (a backspace tells click to keep the lines)
    experiment = str(local(experiment))
    try:
        ExperimentCard.read(experiment, unpickle=False)
        lines = _lines(experiment, trial, full=full)
        for line in lines if limit is None else deque(lines, limit):
            click.echo(line)
    except BrokenPipeError:  # who reads has read enough
        raise
    except (LuthierError, OSError) as error:
        raise Refused(str(error)) from error


def _lines(experiment: str, trial: str | None, *, full: bool) -> Iterator[str]:
    for record in JsonlStore(experiment, readonly=True, unpickle=False).read():
        second = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.at))
        when = f"{second}.{int(record.at % 1 * 1000):03d}"
        for number, event in enumerate(record.events, record.first):
            whose = getattr(event, "trial", "")
            if trial is None or (whose and whose.endswith(trial)):
                told = cut(_told(event, whose, full=full), 1_000_000 if full else 160)
                yield f"{number:>6}  {when}  {type(event).__name__:<14}  {told}".rstrip()


def _told(event: Event, whose: str, *, full: bool) -> str:
    parts = [plain_text(whose)] if whose else []
    for field in msgspec.structs.fields(event):
        value = getattr(event, field.name)
        if field.name == "trial" or value is None or (not field.required and value == field.default):
            continue
        parts.append(_field(field.name, value, full=full))
    return "  ".join(part for part in parts if part)


def _field(name: str, value: Any, *, full: bool) -> str:
    match name:
        case "metrics" if not full:
            return configured({key: v for key, v in value.items() if key not in AUTOMATIC}, 1000)
        case "config" | "metrics":
            return f"{name}: {configured(value, 100_000)}" if value else ""
        case "resources":
            return spelled(value)
        case "label":
            return ""
        case "error" | "reason":
            return headline(value) if value else ""
        case _:
            value = getattr(value, "value", value)
            return f"{name}={short(value, 80)}"
