"""LightGBM: a callback that reports after each round, and saves the model.

Needs ``pip install 'luthier[lightgbm]'``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.tune.installed import demand
from luthier.tune.integration.boosting import Rounds
from luthier.tune.integration.saved import file_in
from luthier.worker.notices import deprecated

demand("luthier.tune.integration.lightgbm", "lightgbm", "lightgbm")

from lightgbm import Booster  # noqa: E402 (what to install is said first)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luthier.checkpoints.base import Checkpoint

FILENAME = "model.txt"
_WITH_SPREAD = 5  # entries of a result of lightgbm.cv


class TuneReportCheckpointCallback:
    """Reports the metrics of each round of ``lightgbm.train`` (or ``lightgbm.cv``), and saves the model.

    LightGBM's metrics are named ``<data>-<metric>``, such as ``valid_0-binary_logloss``; those of ``lightgbm.cv`` end
    with ``-mean`` and ``-stdv``.

    Args:
        metrics: which are reported: a name, several, or ``{name to report: LightGBM's name}``; None for all.
        filename: of the model within the checkpoint.
        frequency: a checkpoint each so many rounds; 0 for none on the way.
        checkpoint_at_end: whether the model of the last round is saved.  ``early_stopping()`` may end the training
            before that round: give a *frequency* beside it.
        results_postprocessing_fn: takes the dict that is to be reported, returns the one that is.

    Raises:
        BadArgument: one of these cannot be used; while training: the training has no such metric.

    >>> import lightgbm, numpy as np
    >>> def train(config):
    ...     data = lightgbm.Dataset(np.arange(80.0).reshape(80, 1), np.arange(80) > 33)
    ...     params = {"objective": "binary", "learning_rate": config["rate"], "verbose": -1}
    ...     callback = TuneReportCheckpointCallback({"loss": "training-binary_logloss"})
    ...     lightgbm.train(params, data, 3, valid_sets=[data], callbacks=[callback])
    >>> from luthier import tune
    >>> run = tune.RunConfig(verbose=0, executor="inline")
    >>> grid = tune.Tuner(train, param_space={"rate": 0.5}, run_config=run).fit()
    >>> TuneReportCheckpointCallback.get_model(grid[0].checkpoint).num_trees()
    3
    """

    CHECKPOINT_NAME = FILENAME
    order = 25  # after those that only log, before early_stopping(), which ends the round by raising

    def __init__(
        self,
        metrics: str | Sequence[str] | Mapping[str, str] | None = None,
        filename: str = FILENAME,
        frequency: int = 0,
        checkpoint_at_end: bool = True,
        results_postprocessing_fn: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        self._rounds = Rounds(metrics, filename, frequency, checkpoint_at_end, results_postprocessing_fn)

    def __call__(self, env: Any) -> None:
        """Report a round."""
        last = env.iteration == env.end_iteration - 1 and self._rounds.checkpoint_at_end
        saves = (last or self._rounds.due(env.iteration + 1)) and isinstance(env.model, Booster)
        self._rounds.report(_flat(env.evaluation_result_list), env.model.save_model if saves else None)

    @staticmethod
    def get_model(checkpoint: Checkpoint | None, filename: str = FILENAME) -> Booster:
        """Return the model in a checkpoint of this callback's.

        Raises:
            BadArgument: there is no checkpoint, or no file of that name in it.
        """
        with file_in(checkpoint, filename) as path:
            return Booster(model_file=path)


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


def _flat(results: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Return the round's values, by ``<data>-<metric>``."""
    flat = {}
    for entry in results or ():
        name = f"{entry[0]}-{entry[1]}"
        if len(entry) >= _WITH_SPREAD:
            flat[f"{name}-mean"], flat[f"{name}-stdv"] = entry[2], entry[4]
        else:
            flat[name] = entry[2]
    return flat
