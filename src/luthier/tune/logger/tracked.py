"""A trial as a tracker's thread knows it: what it was when it was noted, as the trial itself goes on meanwhile."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core.goal import number
from luthier.tune.flat import flattened

if TYPE_CHECKING:
    from luthier.tune.trial import Trial

# What a result holds beside metrics: who reported it, and what is said elsewhere.
NO_METRICS = frozenset(
    {
        "checkpoint_dir_name",
        "config",
        "date",
        "done",
        "experiment_tag",
        "hostname",
        "node_ip",
        "pid",
        "should_checkpoint",
        "timestamp",
        "trial_id",
    }
)


class Tracked(msgspec.Struct, frozen=True):
    """What is known of a trial at the beginning of an attempt.

    Attributes:
        trial_id: its id.
        name: its name.
        experiment: name of the experiment's directory.
        experiment_dir: the experiment's directory.
        folder: the trial's directory.
        config: its config, flattened: ``{"model/lr": 0.1}``.
    """

    trial_id: str
    name: str
    experiment: str
    experiment_dir: str
    folder: str
    config: dict[str, Any]

    @property
    def key(self) -> str:
        """What tells it from trials of other experiments, and does not change when it goes on later."""
        return f"{self.experiment}/{self.trial_id}"


def tracked(trial: Trial) -> Tracked:
    """Return what *trial* is now."""
    directory = trial.experiment_dir
    return Tracked(
        trial_id=trial.trial_id,
        name=str(trial),
        experiment=os.path.basename(directory.rstrip("/")),
        experiment_dir=directory,
        folder=trial.local_path,
        config=flattened(trial.config),
    )


class Reading(msgspec.Struct, frozen=True):
    """A result.

    Attributes:
        step: ``timesteps_total`` where it was reported, else ``training_iteration``.
        at: when it was reported, in unix seconds; 0 where nobody knows.
        values: what was reported, flattened.
    """

    step: int
    at: float
    values: dict[str, Any]

    @property
    def numbers(self) -> dict[str, float]:
        """The values that are numbers."""
        return {name: found for name, value in self.values.items() if (found := number(value)) is not None}


def reading(result: dict[str, Any]) -> Reading:
    """Return *result* without what is no metric.

    >>> reading({"loss": {"train": 1.5}, "training_iteration": 3, "timestamp": 10, "done": False})
    Reading(step=3, at=10.0, values={'loss/train': 1.5, 'training_iteration': 3})
    """
    step = number(result.get("timesteps_total")) or number(result.get("training_iteration")) or 0.0
    whole = int(step) if abs(step) < 1 << 62 else 0
    values = flattened({name: value for name, value in result.items() if name not in NO_METRICS})
    return Reading(whole, number(result.get("timestamp")) or 0.0, values)


def written(text: object, longest: int | None = None) -> str:
    r"""Return ``str(text)`` as any database takes it: without what UTF-8 cannot say, and without NUL.

    >>> written("a\udc80"), written("a\0b"), written(0.5)
    ('a\\udc80', 'a\\0b', '0.5')
    """
    try:
        said = str(text)
    except Exception:  # noqa: BLE001 (somebody's own __str__)
        said = f"<{type(text).__module__}.{type(text).__qualname__}>"
    return said[:longest].encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")[:longest]


def plain(value: Any) -> str | bool | int | float:
    """Return *value* as trackers take it: truth values and numbers as they are, anything else as a text.

    >>> plain(0.5), plain(None), plain(1 << 80)
    (0.5, 'None', '1208925819614629174706176')
    """
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 1 << 63):
        return value
    return written(value)
