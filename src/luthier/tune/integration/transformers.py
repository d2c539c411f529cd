"""Hugging Face Transformers: a callback of its ``Trainer`` that reports what was logged, with the checkpoints it saves.

Needs ``pip install 'luthier[transformers]'``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.checkpoints.base import Checkpoint
from luthier.tune.installed import demand
from luthier.tune.integration.chosen import Chosen
from luthier.worker.session import current, get_checkpoint, report

demand("luthier.tune.integration.transformers", "transformers", "transformers")

from transformers.trainer_callback import TrainerCallback  # noqa: E402 (what to install is said first)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FOLDER = "checkpoint"


class TuneReportCheckpointCallback(TrainerCallback):
    """Reports each evaluation; with a checkpoint, where the trainer saves one at the same step.

    A trainer evaluates first and saves then.  So an evaluation waits for a checkpoint, and is reported without one
    when the next step begins, or the training ends.  A checkpoint without an evaluation is reported with what was
    logged last.  A relative ``output_dir`` lies in the trial's directory: each trial has its own.

    Args:
        metrics: which are reported: a name, several, or ``{name to report: the trainer's name}``; None for all.

    Raises:
        BadArgumentType: *metrics* cannot be used.

    >>> TuneReportCheckpointCallback({"loss": "eval_loss"}).metrics_of([{"loss": 2.0}, {"eval_loss": 1.5}])
    {'loss': 1.5}
    """

    CHECKPOINT_NAME = FOLDER

    def __init__(self, metrics: str | Sequence[str] | Mapping[str, str] | None = None) -> None:
        self._chosen = Chosen(metrics)
        self._waiting: dict[str, Any] | None = None

    def metrics_of(self, history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return what is reported of ``TrainerState.log_history``: the newest value of each name."""
        newest: dict[str, Any] = {}
        for entry in history:
            newest.update(entry)
        return self._chosen.there(newest)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Put an ``output_dir`` that is relative into the trial's directory: trials would share it otherwise."""
        session = current()
        if session is not None:
            args.output_dir = os.path.join(session.assignment.trial_dir, args.output_dir)

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take in an evaluation."""
        self._flush(args, state, control)
        if state.is_world_process_zero:  # one of several processes reports
            self._waiting = self._now(state)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Report a checkpoint."""
        if not state.is_world_process_zero:
            return
        metrics, self._waiting = self._waiting or self._now(state), None
        with tempfile.TemporaryDirectory(prefix="luthier_checkpoint_") as above:
            shutil.copytree(Path(args.output_dir, f"checkpoint-{state.global_step}"), Path(above, FOLDER))
            report(metrics, checkpoint=Checkpoint.from_directory(above))

    def _flush(self, *_: Any, **__: Any) -> None:
        """Report the evaluation that waits."""
        metrics, self._waiting = self._waiting, None
        if metrics is not None:
            report(metrics)

    on_step_begin = on_train_end = _flush

    def _now(self, state: Any) -> dict[str, Any]:
        return self.metrics_of(state.log_history) | {"global_step": state.global_step}


@contextlib.contextmanager
def resume_from_checkpoint() -> Iterator[str | None]:
    """Give what ``Trainer.train(resume_from_checkpoint=...)`` takes: the trial's checkpoint, None at its beginning.

    >>> with resume_from_checkpoint() as folder:
    ...     print(folder)
    None
    """
    checkpoint = get_checkpoint()
    if checkpoint is None:
        yield None
        return
    with checkpoint.as_directory() as above:
        yield str(Path(above, FOLDER))
