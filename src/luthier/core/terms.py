"""The words that events are made of."""

from __future__ import annotations

from enum import Enum
from typing import Any, NewType, TypeAlias

import msgspec

TrialId = NewType("TrialId", str)
WorkerId = NewType("WorkerId", str)
Ref = NewType("Ref", str)  # names a checkpoint; who stores checkpoints knows what it means
Config: TypeAlias = dict[str, Any]
Metrics: TypeAlias = dict[str, Any]

# Why a policy decided something, in names and plain values.  Names that mean the same in every policy:
#   metric, value        what was judged by, and what the trial had (as reported, not as a score)
#   time_attr, time      how far the trial was
#   bracket, rung        which set of rungs (from 0), and the milestone in units of time_attr
#   cutoff, rank, of     the value that still passed; the trial's rank (1 is best) among how many
#   source               id of the trial whose checkpoint and config are taken
#   old, new             the hyperparameters that change: {name: value} before and after
#   by, because          who chose a config, of several who could have, and in words why
#   max_t                how far trials go at most: that one ended because it has come so far
Why: TypeAlias = dict[str, Any]


def in_full(why: Why | None) -> bool:
    """Whether a trial that was ended for that reason had all its time: it was not cut short.

    >>> in_full({"time": 9, "max_t": 9}), in_full({"time": 3, "rung": 3}), in_full(None)
    (True, False, False)
    """
    return why is not None and "max_t" in why


class Label(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a trial is called: for people, on disk, and by its parameters."""

    name: str
    folder: str
    tag: str


class Status(Enum):
    """Where a trial stands."""

    PENDING = "pending"
    RUNNING = "running"
    HALTING = "halting"  # told to let go; its process may still be there
    EXITED = "exited"  # lives only inside one batch of events
    PAUSED = "paused"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"

    __hash__ = object.__hash__  # members are singletons; Enum's own hashes the name, in Python, a million times

    @property
    def final(self) -> bool:
        """Whether a trial stays there unless the experiment is reopened."""
        return self in FINAL


# What users are told: Ray Tune's words, which many statuses share.
SPOKEN = {
    Status.PENDING: "PENDING",
    Status.RUNNING: "RUNNING",
    Status.HALTING: "RUNNING",
    Status.EXITED: "RUNNING",
    Status.PAUSED: "PAUSED",
    Status.DONE: "TERMINATED",
    Status.STOPPED: "TERMINATED",
    Status.FAILED: "ERROR",
}
FINAL = frozenset({Status.DONE, Status.STOPPED, Status.FAILED})
HELD = (Status.RUNNING, Status.HALTING)  # a worker holds resources for the trial


class Then(Enum):
    """What becomes of a trial once its process has let go."""

    STOP = "stop"
    PAUSE = "pause"
    REQUEUE = "requeue"


class Outcome(Enum):
    """How an attempt ended."""

    FINISHED = "finished"  # the trainable came to its end
    HALTED = "halted"  # it let go because it was ordered to
    ERROR = "error"  # it raised, or its process died
    LOST = "lost"  # its worker is gone
    LEFT = "left"  # its worker left on purpose (an interrupted driver, a machine that is taken back): nobody's fault


class Verdict(Enum):
    """What ``report`` gets back."""

    CONTINUE = "continue"
    HALT = "halt"
    SAVE_AND_HALT = "save and halt"  # the trial goes on later: save a checkpoint first


# What a worker fills in by itself, and therefore no news.
AUTOMATIC = frozenset({
    "training_iteration", "time_total_s", "time_this_iter_s", "time_since_restore", "iterations_since_restore",
    "timesteps_since_restore", "timesteps_total", "episodes_total", "timestamp", "date", "pid", "hostname", "node_ip",
    "trial_id", "experiment_tag", "config", "done", "checkpoint_dir_name", "should_checkpoint",
})  # fmt: skip
