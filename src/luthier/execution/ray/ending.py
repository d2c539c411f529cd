"""What to say of an actor that ended without a word."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from luthier.core.terms import Outcome
from luthier.execution.transcript import tail

if TYPE_CHECKING:
    from luthier.execution.ray.hand import Hand

_ELSEWHERE = ("node has died", "node was terminated", "node was preempted", "raylet")  # no fault of the trial
_LINES = 20


def ending(error: BaseException, hand: Hand) -> tuple[Outcome, str]:
    """Return how an attempt counts whose actor is gone with *error*, and why.

    Losing the node is nobody's fault, nor is an actor that was found dead when it was to take another trial.
    """
    text = str(error).strip()
    lost = type(error).__name__ == "ActorUnavailableError" or any(phrase in text for phrase in _ELSEWHERE)
    if lost or (hand.served > 1 and not hand.spoke):
        return Outcome.LOST, text
    trial_dir = "" if hand.assignment is None else hand.assignment.trial_dir
    shown = tail(Path(trial_dir) / "stderr", _LINES) if trial_dir else ""
    text = f"the trial's actor died without a result: {text}"
    return Outcome.ERROR, f"{text}\nthe end of its stderr:\n{shown}" if shown else text
