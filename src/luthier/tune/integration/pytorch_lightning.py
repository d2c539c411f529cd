"""PyTorch Lightning: a callback that reports what a module logs, and saves a checkpoint.

Needs ``pip install 'luthier[lightning]'`` (or ``pytorch_lightning``).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from luthier.tune.installed import demand
from luthier.tune.integration.chosen import Chosen
from luthier.tune.integration.moments import moments
from luthier.tune.integration.saved import file_name, report_saved
from luthier.worker.notices import deprecated
from luthier.worker.session import report

try:
    from lightning.pytorch import Callback
except ImportError:
    demand("luthier.tune.integration.pytorch_lightning", "pytorch_lightning", "lightning")
    from pytorch_lightning import Callback  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

log = logging.getLogger("luthier")

FILENAME = "checkpoint"
MOMENTS = tuple(
    sorted(
        name.removeprefix("on_")
        for name in dir(Callback)
        # Not those whose arguments are no trainer and module, or that Lightning's own checkpoints call.
        if name.startswith("on_") and name not in ("on_save_checkpoint", "on_load_checkpoint", "on_exception")
    )
)


class TuneCallback(Callback):
    """Acts at moments of a Lightning training: override :meth:`handle`.

    Args:
        on: when: one or several of Lightning's hooks, without ``on_``.

    Raises:
        BadArgument: there is no such hook.

    >>> TuneCallback(on="never")
    Traceback (most recent call last):
    luthier.core.errors.BadArgument: on='never' cannot be used: give one of ['after_backward', ...].
    """

    def __init__(self, on: str | Sequence[str] = "validation_end") -> None:
        super().__init__()
        self._on = moments("on", on, MOMENTS)

    def act(self, moment: str, trainer: Any, module: Any) -> None:
        """Call :meth:`handle`, if this is the *moment* and no rehearsal before the training."""
        if moment in self._on and not trainer.sanity_checking:
            self.handle(trainer, module)

    def handle(self, trainer: Any, module: Any) -> None:
        """Do what is to be done."""
        raise NotImplementedError


class TuneReportCheckpointCallback(TuneCallback):
    """Reports what the module has logged (``trainer.callback_metrics``), and saves a checkpoint of the trainer.

    To go on from one: ``trainer.fit(module, ckpt_path=os.path.join(folder, filename))``.

    Args:
        metrics: which are reported: a name, several, or ``{name to report: the module's name}``; None for all.
        filename: of the checkpoint's file.
        save_checkpoints: whether there are any.
        on: when: one or several of Lightning's hooks, without ``on_``.

    Raises:
        BadArgument: one of these cannot be used.

    >>> TuneReportCheckpointCallback({"loss": "val_loss"}, on="train_epoch_end").state_key
    'TuneReportCheckpointCallback'
    """

    def __init__(
        self,
        metrics: str | Sequence[str] | Mapping[str, str] | None = None,
        filename: str = FILENAME,
        save_checkpoints: bool = True,
        on: str | Sequence[str] = "validation_end",
    ) -> None:
        super().__init__(on)
        self._chosen, self._filename = Chosen(metrics), file_name("filename", filename)
        self._saves, self._told = bool(save_checkpoints), set[str]()

    def logged(self, trainer: Any) -> dict[str, float]:
        """Return what can be reported."""
        return {name: float(value) for name, value in trainer.callback_metrics.items()}

    def handle(self, trainer: Any, module: Any) -> None:
        """Report; not before the module has logged anything."""
        found = self.logged(trainer)
        for name in self._chosen.missing(found):
            if name not in self._told:
                self._told.add(name)
                log.warning("the module has logged no %r so far, only %s: it is left out", name, sorted(found))
        metrics = self._chosen.there(found)
        if not metrics:
            return
        if self._saves:
            report_saved(metrics, self._filename, trainer.save_checkpoint)
        else:
            report(metrics)


class TuneReportCallback(TuneReportCheckpointCallback):
    """Reports only (the older spelling of ``TuneReportCheckpointCallback(save_checkpoints=False)``).

    Args:
        metrics: which are reported.
        on: when.
    """

    def __init__(
        self,
        metrics: str | Sequence[str] | Mapping[str, str] | None = None,
        on: str | Sequence[str] = "validation_end",
    ) -> None:
        deprecated("TuneReportCallback", "TuneReportCheckpointCallback(save_checkpoints=False)", stacklevel=4)
        super().__init__(metrics, save_checkpoints=False, on=on)


def _hook(moment: str) -> Callable[..., None]:
    return lambda self, trainer, pl_module=None, *_, **__: self.act(moment, trainer, pl_module)


for _moment in MOMENTS:
    setattr(TuneCallback, f"on_{_moment}", _hook(_moment))
