"""The rows of a progress table: which trials it has room for, in which order, and what their cells say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from luthier.callbacks.spelling import counted, plain_text, short
from luthier.core.goal import lookup, number
from luthier.tune.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ORDER = (Trial.RUNNING, Trial.PAUSED, Trial.PENDING, Trial.TERMINATED, Trial.ERROR)


class ProgressTable(msgspec.Struct, frozen=True):
    """A table.

    Attributes:
        heads: of the columns.
        rows: cells as text.
        left_out: how many trials of each status have no row.
    """

    heads: list[str]
    rows: list[list[str]]
    left_out: dict[str, int] = {}

    @property
    def text(self) -> str:
        """The table drawn with lines."""
        widths = [max(map(len, column)) for column in zip(self.heads, *self.rows, strict=True)]
        line = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
        told = [line, _line(self.heads, widths), line.replace("+", "|", 1)[:-1] + "|"]
        return "\n".join([*told, *(_line(row, widths) for row in self.rows), line])

    @property
    def more(self) -> str:
        """A line about those that have no row; empty where all have one."""
        if not self.left_out:
            return ""
        said = ", ".join(f"{count} {status}" for status, count in self.left_out.items())
        return f"... {counted(sum(self.left_out.values()), 'more trial')} not shown ({said})"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def by_status(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    """Return *trials* by what has become of them, in the order of tables."""
    found: dict[str, list[Trial]] = {status: [] for status in ORDER}
    for trial in trials:
        found[trial.status].append(trial)
    return {status: some for status, some in found.items() if some}


def shown(groups: dict[str, list[Trial]], most: int | None) -> tuple[list[Trial], dict[str, int]]:
    """Return at most *most* trials, fairly from all *groups*, and how many of each have no room.

    >>> shown({"RUNNING": ["a", "b", "c"], "TERMINATED": ["d"]}, 3)
    (['a', 'b', 'd'], {'RUNNING': 1})
    """
    room = sum(map(len, groups.values())) if most is None else most
    shares = dict.fromkeys(groups, 0)
    while room > 0:
        open_ones = [status for status in groups if shares[status] < len(groups[status])]
        if not open_ones:
            break
        for status in open_ones[:room]:
            shares[status] += 1
            room -= 1
    trials = [trial for status, some in groups.items() for trial in some[: shares[status]]]
    return trials, {s: len(some) - shares[s] for s, some in groups.items() if len(some) > shares[s]}


def progress_table(
    trials: Sequence[Trial],
    metrics: Mapping[str, str],
    parameters: Mapping[str, str],
    *,
    most: int | None = None,
    width: int = 20,
    sort_by: tuple[str, str] | None = None,
) -> ProgressTable:
    """Return the table of *trials*.

    Args:
        trials: all there are.
        metrics: names and heads; those that nobody reported have no column.
        parameters: names and heads; all of them where there are none.
        most: how many rows there may be.
        width: characters that a head or a cell may take.
        sort_by: metric and mode; those that have ended are then sorted, the best first.
    """
    groups = by_status(trials)
    if sort_by is not None and Trial.TERMINATED in groups:
        groups[Trial.TERMINATED].sort(key=lambda trial: _rank(trial, *sort_by))
    some, left_out = shown(groups, most)
    results = {trial.trial_id: trial.last_result for trial in some}
    reported = {n: h for n, h in metrics.items() if any(lookup(r, n) is not None for r in results.values())}
    configs = [trial.evaluated_params for trial in some]
    named = dict(parameters) or dict.fromkeys(name for config in configs for name in config)
    heads = ["Trial name", "status", *(_tail(head or name, width) for name, head in named.items())]
    rows = [
        [
            plain_text(str(trial)),
            trial.status,
            *(short(_parameter(config, name), width) for name in named),
            *(short(lookup(results[trial.trial_id], name), width) for name in reported),
        ]
        for trial, config in zip(some, configs, strict=True)
    ]
    return ProgressTable([*heads, *(_tail(head, width) for head in reported.values())], rows, left_out)


def errors_table(trials: Sequence[Trial], most: int | None) -> tuple[int, ProgressTable]:
    """Return how many trials have failed (at least once), and the table of the first of them."""
    failed = [trial for trial in trials if trial.num_failures]
    rows = [[plain_text(str(t)), str(t.num_failures), t.error_file or ""] for t in failed[:most]]
    return len(failed), ProgressTable(["Trial name", "# failures", "error file"], rows)


def _parameter(config: dict[str, Any], name: str) -> Any:
    if name in config:
        return config[name]
    below = {key.removeprefix(f"{name}/"): value for key, value in config.items() if key.startswith(f"{name}/")}
    return below or None


def _rank(trial: Trial, metric: str, mode: str) -> tuple[bool, float]:
    value = number(lookup(trial.last_result, metric))
    if value is None or value != value:  # noqa: PLR0124 (NaN)
        return True, 0.0
    return False, -value if mode == "max" else value


def _tail(text: str, width: int) -> str:
    text = plain_text(text)
    return text if len(text) <= width else "..." + text[3 - width :]
