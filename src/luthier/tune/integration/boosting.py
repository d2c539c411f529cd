"""What the callbacks for XGBoost and LightGBM share: what is reported after a round, and when a model is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.integration.chosen import Chosen
from luthier.tune.integration.saved import file_name, report_saved
from luthier.worker.session import report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Rounds:
    """Rounds of boosting, each a report.

    Args:
        metrics: which of the library's are reported, and as what; None for all.
        filename: of the model within a checkpoint.
        frequency: a checkpoint each so many rounds; 0 for none on the way.
        checkpoint_at_end: whether the last round has one.
        results_postprocessing_fn: takes the dict that is to be reported, returns the one that is.

    Raises:
        BadArgument: one of these cannot be used.
    """

    def __init__(
        self,
        metrics: str | Sequence[str] | Mapping[str, str] | None,
        filename: str,
        frequency: int,
        checkpoint_at_end: bool,
        results_postprocessing_fn: Callable[[dict[str, Any]], dict[str, Any]] | None,
    ) -> None:
        self.chosen = Chosen(metrics)
        self.filename = file_name("filename", filename)
        if not isinstance(frequency, int) or isinstance(frequency, bool) or frequency < 0:
            raise BadArgument("frequency", frequency, "a number of rounds, 0 for no checkpoints on the way")
        if results_postprocessing_fn is not None and not callable(results_postprocessing_fn):
            raise BadArgumentType("results_postprocessing_fn", results_postprocessing_fn, "a function, or None")
        self.frequency, self.checkpoint_at_end = frequency, bool(checkpoint_at_end)
        self._change = results_postprocessing_fn

    def due(self, number: int) -> bool:
        """Return whether the round *number*, counted from 1, has a checkpoint."""
        return self.frequency > 0 and number % self.frequency == 0

    def report(self, found: Mapping[str, Any], save: Callable[[str], Any] | None) -> None:
        """Report what the library has *found*, with a checkpoint that *save* writes if there is to be one."""
        metrics = self.chosen.of(found)
        if self._change is not None:
            metrics = self._change(metrics)
        if save is None:
            report(metrics)
        else:
            report_saved(metrics, self.filename, save)
