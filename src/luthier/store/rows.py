"""A report as the row of results that loggers, callbacks and ``result.json`` show, with Ray Tune's keys."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core.terms import Config, TrialId

if TYPE_CHECKING:
    from luthier.core.events import Reported


class TrialFacts(msgspec.Struct, frozen=True):
    """What is the same in all rows of a trial's attempt.

    Attributes:
        trial_id: the trial.
        config: its config.
        experiment_tag: ``0_lr=0.1000`` and the like.
        hostname: machine that it runs on; empty where not known.
        pid: process that it runs in; 0 where not known.
        node_ip: address of the machine; empty where not known.
    """

    trial_id: TrialId
    config: Config
    experiment_tag: str = ""
    hostname: str = ""
    pid: int = 0
    node_ip: str = ""


def result_row(event: Reported, facts: TrialFacts, at: float | None = None) -> dict[str, Any]:
    """Return the result that *event* stands for: its metrics, and what is filled in around them.

    What the trainable reported under ``date``, ``pid``, ``hostname`` or ``node_ip`` stays.

    Args:
        event: the report; its metrics are copied, not changed.
        facts: what is known of the trial.
        at: when it was stored (unix seconds), for ``date``; the row's own ``timestamp`` where None, or else now.

    >>> from luthier.core.events import Reported
    >>> row = result_row(Reported("t0", 1, 0, {"loss": 0.5, "date": "today"}, "t0/checkpoint_000002"),
    ...                  TrialFacts("t0", {"lr": 0.1}, "0_lr=0.1000"))
    >>> row["checkpoint_dir_name"], row["config"], row["date"]
    ('checkpoint_000002', {'lr': 0.1}, 'today')
    """
    row = dict(event.metrics)
    if "date" not in row:
        row["date"] = date(_moment(row.get("timestamp"), at))
    row["trial_id"] = facts.trial_id
    row["experiment_tag"] = facts.experiment_tag
    row["config"] = facts.config
    if facts.hostname:
        row.setdefault("hostname", facts.hostname)
    if facts.pid:
        row.setdefault("pid", facts.pid)
    if facts.node_ip:
        row.setdefault("node_ip", facts.node_ip)
    if event.checkpoint is None:
        row["checkpoint_dir_name"] = None
    else:
        row["checkpoint_dir_name"] = event.checkpoint.replace("\\", "/").rstrip("/").rpartition("/")[2]
        row["should_checkpoint"] = True
    return row


def date(moment: float) -> str:
    """Return *moment* (unix seconds) as local time, ``2026-01-31_23-59-59``; it costs next to nothing within a second.

    >>> len(date(0.0))
    19
    """
    return _date(int(moment))


def _moment(timestamp: object, at: float | None) -> float:
    if at is not None:
        return at
    if isinstance(timestamp, int | float) and 0 <= timestamp < 1 << 37:  # a time that calendars know
        return timestamp
    return time.time()


@lru_cache(maxsize=64)
def _date(second: int) -> str:
    return time.strftime("%Y-%m-%d_%H-%M-%S", time.localtime(second))
