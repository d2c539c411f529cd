"""XGBoost: a callback that reports after each round, and saves the model.

Needs ``pip install 'luthier[xgboost]'``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.tune.installed import demand
from luthier.tune.integration.boosting import Rounds
from luthier.tune.integration.saved import file_in
from luthier.worker.notices import deprecated

demand("luthier.tune.integration.xgboost", "xgboost", "xgboost")

from xgboost import Booster  # noqa: E402 (what to install is said first)
from xgboost.callback import TrainingCallback  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luthier.checkpoints.base import Checkpoint

FILENAME = "model.ubj"


class TuneReportCheckpointCallback(TrainingCallback):
    """Reports the metrics of each round of ``xgboost.train`` (or ``xgboost.cv``), and saves the model.

    XGBoost's metrics are named ``<data>-<metric>``, such as ``eval-logloss``; what ``xgboost.cv`` finds comes as
    a pair of mean and standard deviation, reported as ``test-logloss`` and ``test-logloss-std``.

    Args:
        metrics: which are reported: a name, several, or ``{name to report: XGBoost's name}``; None for all.
        filename: of the model within the checkpoint; its suffix tells the format (``.ubj`` or ``.json``).
        frequency: a checkpoint each so many rounds; 0 for none on the way.
        checkpoint_at_end: whether the last model is saved.  It is reported once more, with the last metrics.
        results_postprocessing_fn: takes the dict that is to be reported, returns the one that is.

    Raises:
        BadArgument: one of these cannot be used; while training: the training has no such metric.

    >>> import numpy as np, xgboost
    >>> def train(config):
    ...     data = xgboost.DMatrix(np.arange(8.0).reshape(8, 1), np.arange(8) > 3)
    ...     params = {"objective": "binary:logistic", "eta": config["eta"]}
    ...     callback = TuneReportCheckpointCallback({"loss": "train-logloss"})
    ...     xgboost.train(params, data, 3, evals=[(data, "train")], verbose_eval=False, callbacks=[callback])
    >>> from luthier import tune
    >>> run = tune.RunConfig(verbose=0, executor="inline")
    >>> grid = tune.Tuner(train, param_space={"eta": 0.5}, run_config=run).fit()
    >>> TuneReportCheckpointCallback.get_model(grid[0].checkpoint).num_boosted_rounds()
    3
    """

    CHECKPOINT_NAME = FILENAME

    def __init__(
        self,
        metrics: str | Sequence[str] | Mapping[str, str] | None = None,
        filename: str = FILENAME,
        frequency: int = 0,
        checkpoint_at_end: bool = True,
        results_postprocessing_fn: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        super().__init__()
        self._rounds = Rounds(metrics, filename, frequency, checkpoint_at_end, results_postprocessing_fn)
        self._last: dict[str, Any] | None = None
        self._saved = False

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Sequence[Any]]]) -> bool:
        """Report a round."""
        self._last = _flat(evals_log)
        self._saved = self._rounds.due(epoch + 1) and isinstance(model, Booster)  # cv trains several at once
        self._rounds.report(self._last, model.save_model if self._saved else None)
        return False

    def after_training(self, model: Any) -> Any:
        """Report the last model, if that is not done."""
        if self._rounds.checkpoint_at_end and not self._saved and self._last is not None and isinstance(model, Booster):
            self._rounds.report(self._last, model.save_model)
        return model

    @staticmethod
    def get_model(checkpoint: Checkpoint | None, filename: str = FILENAME) -> Booster:
        """Return the model in a checkpoint of this callback's.

        Raises:
            BadArgument: there is no checkpoint, or no file of that name in it.
        """
        with file_in(checkpoint, filename) as path:
            booster = Booster()
            booster.load_model(path)
        return booster


class TuneReportCallback(TuneReportCheckpointCallback):
    """Reports only (the older spelling of ``TuneReportCheckpointCallback(checkpoint_at_end=False)``).

    Args:
        metrics: which are reported.
        results_postprocessing_fn: takes the dict that is to be reported, returns the one that is.
    """

    def __init__(
        self,
        metrics: str | Sequence[str] | Mapping[str, str] | None = None,
        results_postprocessing_fn: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        deprecated("TuneReportCallback", "TuneReportCheckpointCallback(checkpoint_at_end=False)", stacklevel=4)
        super().__init__(metrics, checkpoint_at_end=False, results_postprocessing_fn=results_postprocessing_fn)


def _flat(evals: Mapping[str, Mapping[str, Sequence[Any]]]) -> dict[str, Any]:
    """Return the newest values, by ``<data>-<metric>``."""
    flat = {}
    for data, metrics in evals.items():
        for metric, values in metrics.items():
            newest = values[-1]
            if isinstance(newest, tuple):
                flat[f"{data}-{metric}"], flat[f"{data}-{metric}-std"] = newest
            else:
                flat[f"{data}-{metric}"] = newest
    return flat
