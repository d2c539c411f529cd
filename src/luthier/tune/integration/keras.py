"""Keras 3: a callback that reports the metrics of an epoch, and saves the model.

Needs ``pip install 'luthier[keras]'`` and a backend of Keras's: TensorFlow, or the one that ``$KERAS_BACKEND`` names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.tune.installed import demand
from luthier.tune.integration.chosen import Chosen
from luthier.tune.integration.moments import moments
from luthier.tune.integration.saved import file_in, file_name, report_saved
from luthier.worker.notices import deprecated
from luthier.worker.session import report

try:
    demand("luthier.tune.integration.keras", "keras", "keras", "3")
except ModuleNotFoundError as error:
    error.add_note("Keras runs on TensorFlow unless told otherwise: install that, or set KERAS_BACKEND to torch or jax")
    raise

import keras

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luthier.checkpoints.base import Checkpoint

FILENAME = "model.keras"
SUFFIXES = (".keras", ".h5", ".hdf5")
MOMENTS = (
    "epoch_begin", "epoch_end",
    "train_begin", "train_end", "train_batch_begin", "train_batch_end",
    "test_begin", "test_end", "test_batch_begin", "test_batch_end",
    "predict_begin", "predict_end", "predict_batch_begin", "predict_batch_end",
)  # fmt: skip


class TuneReportCheckpointCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports Keras's metrics, and saves the model with the state of its optimizer.

    Args:
        metrics: which are reported: a name, several, or ``{name to report: Keras's name}``; None for all.
        report_metrics_on: when: one or several of Keras's hooks, without ``on_``.
        checkpoint_on: when the model is saved; a report goes with it.  Empty for never.
        filename: of the model within the checkpoint.

    Raises:
        BadArgument: one of these cannot be used; while training: the training has no such metric.

    >>> import numpy as np
    >>> def train(config):
    ...     checkpoint = tune.get_checkpoint()
    ...     if checkpoint:
    ...         model = TuneReportCheckpointCallback.get_model(checkpoint)
    ...     else:
    ...         model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    ...         model.compile(keras.optimizers.SGD(config["rate"]), "mse")
    ...     x = np.linspace(0, 1, 8)
    ...     model.fit(x, 2 * x, epochs=2, verbose=0, callbacks=[TuneReportCheckpointCallback("loss")])
    >>> from luthier import tune
    >>> run = tune.RunConfig(verbose=0, executor="inline")
    >>> grid = tune.Tuner(train, param_space={"rate": 0.1}, run_config=run).fit()
    >>> print(grid[0].error)
    None
    """

    def __init__(
        self,
        metrics: str | Sequence[str] | Mapping[str, str] | None = None,
        report_metrics_on: str | Sequence[str] = "epoch_end",
        checkpoint_on: str | Sequence[str] = "epoch_end",
        filename: str = FILENAME,
    ) -> None:
        super().__init__()
        self._chosen = Chosen(metrics)
        self._reports = moments("report_metrics_on", report_metrics_on, MOMENTS)
        self._saves = moments("checkpoint_on", checkpoint_on, MOMENTS)
        self._filename = file_name("filename", filename)
        if self._saves and not filename.endswith(SUFFIXES):
            raise BadArgument("filename", filename, f"one that ends in {' or '.join(SUFFIXES)}: Keras saves no other")

    def act(self, moment: str, logs: Mapping[str, Any] | None) -> None:
        """Report and save, if this is the *moment*."""
        saves = moment in self._saves
        if not saves and moment not in self._reports:
            return
        metrics = {name: _plain(value) for name, value in self._chosen.of(logs or {}).items()}
        if saves:
            report_saved(metrics, self._filename, self.model.save)
        else:
            report(metrics)

    @staticmethod
    def get_model(checkpoint: Checkpoint | None, filename: str = FILENAME, **how: Any) -> Any:
        """Return the model in a checkpoint of this callback's, compiled as it was.

        Args:
            checkpoint: which.
            filename: of the model within it.
            how: to ``keras.saving.load_model``, such as ``custom_objects``.

        Raises:
            BadArgument: there is no checkpoint, or no file of that name in it.
        """
        with file_in(checkpoint, filename) as path:
            return keras.saving.load_model(path, **how)


class ReportCheckpointCallback(TuneReportCheckpointCallback):
    """The same, with its arguments in the order that ``ray.train`` has them in.

    Args:
        checkpoint_on: when the model is saved.
        report_metrics_on: when metrics are reported.
        metrics: which are reported.

    >>> callback = ReportCheckpointCallback("train_end", metrics="loss")
    """

    def __init__(
        self,
        checkpoint_on: str | Sequence[str] = "epoch_end",
        report_metrics_on: str | Sequence[str] = "epoch_end",
        metrics: str | Sequence[str] | Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(metrics, report_metrics_on, checkpoint_on)


class TuneReportCallback(TuneReportCheckpointCallback):
    """Reports only (the older spelling of ``TuneReportCheckpointCallback(checkpoint_on=[])``).

    Args:
        metrics: which are reported.
        on: when.
    """

    def __init__(
        self,
        metrics: str | Sequence[str] | Mapping[str, str] | None = None,
        on: str | Sequence[str] = "epoch_end",
    ) -> None:
        deprecated("TuneReportCallback", "TuneReportCheckpointCallback(checkpoint_on=[])", stacklevel=4)
        super().__init__(metrics, on, [])


def _plain(value: Any) -> Any:
    """Return a metric as a number, or as a list of numbers where it has several: one for each class, say."""
    found = keras.ops.convert_to_numpy(value)
    return found.tolist() if found.ndim else float(found)


def _hook(moment: str) -> Callable[..., None]:
    """Return Keras's hook of that *moment*: some are told a number first."""
    if moment.startswith("epoch") or "batch" in moment:
        return lambda self, _, logs=None: self.act(moment, logs)
    return lambda self, logs=None: self.act(moment, logs)


for _moment in MOMENTS:
    setattr(TuneReportCheckpointCallback, f"on_{_moment}", _hook(_moment))
