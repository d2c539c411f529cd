"""``luthier show --trial``: one trial, and every decision about it with its reason."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

import click

from luthier.callbacks.row_text import plain
from luthier.callbacks.spelling import configured, duration, plain_text, short
from luthier.cli.opened import LABELS, Opened, Refused

if TYPE_CHECKING:
    from luthier.core.state import TrialState
    from luthier.store.decisions import Decided


def explain(opened: Opened, wanted: str, *, as_json: bool = False) -> None:
    """Print what was decided about the trial called *wanted*, and why.

    Raises:
        Refused: there is no such trial.
    """
    t = _found(opened, wanted)
    told = list(opened.decisions(t.id))
    if as_json:
        click.echo(json.dumps(_as_json(opened, t, told), indent=2, default=str))
        return
    name = plain_text(t.label.name or t.id)
    click.echo(f"{name}: {LABELS[t.status]}, {configured(t.config)}")
    goal = opened.goal
    value = None if goal is None or t.score is None else goal.value(t.score)
    last = [("training_iteration", t.metrics.get("training_iteration")), (goal.metric if goal else "", value)]
    click.echo(
        ", ".join(f"{plain_text(key)} = {short(shown)}" for key, shown in last if shown is not None) or "no result"
    )
    click.echo("")
    if not told:
        click.echo("nothing was decided about it so far")
        return
    for d in told:
        click.echo(_line(opened, d))
        for change in _changes(d):
            click.echo(f"{'':34}{change}")


def _found(opened: Opened, wanted: str) -> TrialState:
    trials = opened.experiment.trials.values()
    for t in trials:
        if wanted in (t.id, t.label.name, t.label.folder):
            return t
    if wanted.isascii() and wanted.isdigit():
        for t in trials:
            if t.number == int(wanted):
                return t
    near = [t for t in trials if (t.label.name or t.id).endswith(wanted)]
    if len(near) == 1:
        return near[0]
    names = [t.label.name or t.id for t in trials]
    like = [t.label.name or t.id for t in near] or difflib.get_close_matches(wanted, names) or names[:3]
    raise Refused(
        f"--trial {wanted}: there is no trial of that name. Give one like {', '.join(map(plain_text, like[:3]))}."
    )


def _line(opened: Opened, d: Decided) -> str:
    after = duration(d.at - (opened.row.started or d.at))
    step = d.metrics.get("training_iteration")
    at = "" if step is None else f"at {short(step)}"
    back = ""
    if d.restarts is not None and step not in (None, d.restarts):
        back = f"restarts from {short(d.restarts) if d.restarts else 'the beginning'}"
    told = "; ".join(part for part in (plain_text(d.reason), back) if part)
    return f"{'+' + after:>12}  {at:<7} {d.what:<11} {told}".rstrip()


def _changes(d: Decided) -> list[str]:
    """Return a line for each hyperparameter that changed, unless the reason says so itself."""
    old, new = d.why.get("old"), d.why.get("new")
    if not isinstance(old, dict) or not isinstance(new, dict):
        return []
    if " -> " in d.reason and all(f"{name} " in d.reason for name in new):
        return []
    return [f"{plain_text(str(key))}: {short(old.get(key))} -> {short(value)}" for key, value in new.items()]


def _as_json(opened: Opened, t: TrialState, told: list[Decided]) -> dict[str, Any]:
    return {
        "trial": t.label.name or t.id,
        "status": LABELS[t.status],
        "config": plain(t.config),
        "metrics": plain(t.metrics),
        "decisions": [
            {
                "after_s": d.at - (opened.row.started or d.at),
                "training_iteration": d.metrics.get("training_iteration"),
                "what": d.what,
                "reason": d.reason,
                "restarts_from": d.restarts,
                "why": plain(d.why),
            }
            for d in told
        ],
    }
