"""The states of runs in W&B's words."""

from __future__ import annotations

WORDS = {
    "waiting": "pending",
    "running": "running",
    "stopping": "running",
    "paused": "preempted",
    "finished": "finished",
    "stopped": "killed",
    "failed": "failed",
    "crashed": "crashed",
    "deleted": "killed",
}


def word(state: str) -> str:
    """Return what W&B calls a run's *state*.

    >>> word("stopped")
    'killed'
    """
    return WORDS.get(state, state)
