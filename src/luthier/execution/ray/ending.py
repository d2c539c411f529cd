"""What to say of an actor that ended without a word."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from luthier.core.terms import Outcome
from luthier.execution.transcript import tail

if TYPE_CHECKING:
    from luthier.execution.ray.hand import Hand

_ELSEWHERE = (  # no fault of the trial
    "node has died", "node was terminated", "node was preempted", "raylet",
    "never ran", "not schedulable",  # its node went before it was there
)  # fmt: skip
_LINES = 20
_CRASH = "Fatal Python error:"  # so faulthandler begins, which is on in trials, and goes on with one of these
_SIGNALS = {
    "Segmentation fault": "SIGSEGV",
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Illegal instruction": "SIGILL",
    "Floating point exception": "SIGFPE",
}


def ending(error: BaseException, hand: Hand) -> tuple[Outcome, str]:
    """Return how an attempt counts whose actor is gone with *error*, and why.

    Losing the node is nobody's fault, nor is an actor that was found dead when it was to take another trial.
    """
    if type(error).__name__ == "RuntimeEnvSetupError":  # which is not of Ray's kind for actors
        return Outcome.ERROR, str(error).strip()
    if getattr(error, "actor_init_failed", False):
        return Outcome.ERROR, f"the trial's actor could not be started: {str(error).strip()}"
    text = _shortened(str(error).strip())
    lost = type(error).__name__ == "ActorUnavailableError" or any(phrase in text for phrase in _ELSEWHERE)
    if lost or (hand.served > 1 and not hand.spoke):
        return Outcome.LOST, text
    trial_dir = "" if hand.assignment is None else hand.assignment.trial_dir
    shown = _last_words(Path(trial_dir) / "stderr") if trial_dir else ""
    crash = shown.removeprefix(_CRASH).partition("\n")[0].strip() if shown.startswith(_CRASH) else ""
    if crash:
        text = f"the trial's process crashed: {_SIGNALS.get(crash, 'SIGABRT')}, {crash}. Ray says: {text}"
    else:
        text = (
            "the trial's process ended without a result. Ray does not tell how: it left by os._exit, or it was killed "
            f"(SIGKILL; if not by you, then most likely because memory ran out). Ray says: {text}"
        )
    return Outcome.ERROR, f"{text}\nthe end of its stderr:\n{shown}" if shown else text


def _shortened(text: str) -> str:
    r"""Return what Ray says of an actor's death without its list of what the causes may be.

    >>> _shortened("class_name: Stage\nThe actor is dead. Worker exit detail: end of file. Some common causes: x")
    'The actor is dead. Worker exit detail: end of file.'
    """
    return text.rpartition("\n")[2].partition(" Some common causes")[0]


def _last_words(stderr: Path) -> str:
    """Return the end of what was written to *stderr*: from where a crash begins, if there is one."""
    words = tail(stderr, 10 * _LINES)
    crash = words.rfind(_CRASH)
    return "\n".join(words[crash:].splitlines()[:_LINES] if crash >= 0 else words.splitlines()[-_LINES:])
