"""What a worker is told about the attempt that it is to run."""

from __future__ import annotations

import msgspec

from luthier.core.terms import Config, Ref, TrialId
from luthier.worker.saving import SaveRule


class Checkpointing(msgspec.Struct, frozen=True):
    """When a class trainable is asked to save itself (a function reports its checkpoints as it likes).

    Attributes:
        frequency: save after every so many iterations; 0 for never.
        at_end: save when the trainable is done or stopped; None for yes where it defines ``save_checkpoint``.
        fsync: whether the files of a checkpoint are forced to the disk before it is reported.  The death of a process
            loses nothing without it; a power cut may.
        rule: when the scheduler wants it saved.
    """

    frequency: int = 0
    at_end: bool | None = None
    fsync: bool = False
    rule: SaveRule | None = None


class Assignment(msgspec.Struct, frozen=True):
    """One attempt at one trial.

    Attributes:
        trial: the trial's id.
        attempt: which attempt this is, from 1; the fencing token of all that it reports.
        number: the trial's number in the experiment, from 0.
        config: the trial's config; the trainable gets a copy of its own.
        resources: what the trial holds, e.g. ``{"cpu": 1.0}``.
        devices: for each kind of device the ids that are this trial's, e.g. ``{"gpu": ["0"]}``.
        name: the trial's name for people.
        tag: the trial's parameters in a few characters.
        trial_dir: its directory (exists).
        experiment: the experiment's name.
        experiment_dir: the experiment's directory.
        restore: checkpoint to go on from, or None.
        seed: 32-bit seed of this trial, a function of the experiment's seed and the trial's number.
        iteration: training iterations that earlier attempts got through (0 at first).
        time_total_s: seconds that earlier attempts took (0 at first).
        next_checkpoint: index that the next checkpoint of this trial gets.
        checkpointing: when a class trainable saves itself.
        timesteps_total: sum of ``timesteps_this_iter`` over earlier attempts; None where none was reported.
        episodes_total: the same for ``episodes_this_iter``.
    """

    trial: TrialId
    attempt: int
    number: int
    config: Config
    resources: dict[str, float]
    name: str
    tag: str
    trial_dir: str
    experiment: str
    experiment_dir: str
    restore: Ref | None = None
    devices: dict[str, list[str]] = {}
    seed: int | None = None
    iteration: int = 0
    time_total_s: float = 0.0
    next_checkpoint: int = 0
    checkpointing: Checkpointing = Checkpointing()
    timesteps_total: float | None = None
    episodes_total: float | None = None
