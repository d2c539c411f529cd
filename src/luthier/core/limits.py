"""How far an experiment may go."""

from __future__ import annotations

import msgspec

from luthier.core.errors import BadArgument


class Limits(msgspec.Struct, frozen=True):
    """The numbers that bound an experiment.

    Attributes:
        num_trials: how many trials the searcher may propose; None for as many as it likes.
        max_concurrent: how many may hold a worker at once; None for as many as fit.
        max_failures: how many failed attempts a trial survives; -1 for any number.
        max_losses: how many lost workers in a row, without a report in between, a trial survives.  A lost worker is
            not the trial's fault, until it keeps happening.
        fail_fast: whether the first trial that fails ends the experiment.
        elastic: whether other workers may still join; if not, a trial that no worker could ever hold fails at once.
        keep: how many checkpoints a trial keeps; None for all.
        keep_by: metric that ranks checkpoints (the newest are kept where None); ``keep_mode`` says which end is best.
        seed: root of all random choices.
        prefix: what trial ids begin with.
    """

    num_trials: int | None = None
    max_concurrent: int | None = None
    max_failures: int = 0
    max_losses: int = 3
    fail_fast: bool = False
    elastic: bool = False
    keep: int | None = None
    keep_by: str | None = None
    keep_mode: str = "max"
    seed: int = 0
    prefix: str = "t"

    def __post_init__(self) -> None:
        if self.num_trials is not None and self.num_trials < 0:
            raise BadArgument("num_trials", self.num_trials, "a number >= 0, or None for no limit")
        if self.max_concurrent is not None and self.max_concurrent < 1:
            raise BadArgument("max_concurrent", self.max_concurrent, "a number >= 1, or None for no limit")
        if self.max_failures < -1:
            raise BadArgument("max_failures", self.max_failures, "a number >= 0, or -1 for any number of retries")
        if self.keep is not None and self.keep < 1:
            raise BadArgument("keep", self.keep, "a number >= 1, or None to keep all")
