"""Figures of an experiment's results: what ``plot_*`` methods there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from luthier.core.goal import Goal
    from luthier.plots.chronicle import Chronicle


class Pictures:
    """Draws figures with plotly: ``pip install 'luthier[plot]'``.

    Each method returns a ``plotly.graph_objects.Figure``, which notebooks show; ``figure.show()`` does elsewhere.
    Where there is nothing to show (no result yet, a single trial) the figure says so.  *metric* and *mode* are the
    Tuner's where None.
    """

    _goals: tuple[Goal, ...]
    _read: tuple[object, Chronicle] | None = None

    @property
    def experiment_path(self) -> str:
        """The experiment's directory."""
        raise NotImplementedError

    def plot_optimization_history(self, metric: str | None = None, mode: str | None = None) -> Any:
        """Return a figure of each trial's last value, and of the best so far.

        >>> from luthier import tune
        >>> grid = tune.Tuner(
        ...     lambda config: {"loss": config["x"] ** 2},
        ...     param_space={"x": tune.grid_search([3, 1, 2])},
        ...     tune_config=tune.TuneConfig(metric="loss", mode="min"),
        ...     run_config=tune.RunConfig(verbose=0, executor="inline"),
        ... ).fit()
        >>> [float(y) for y in grid.plot_optimization_history().data[-1].y]
        [9.0, 1.0, 1.0]
        """
        return self._figure("optimization_history", metric, mode)

    def plot_learning_curves(self, metric: str | None = None, mode: str | None = None) -> Any:
        """Return a figure of all results, step by step, a line for each trial."""
        return self._figure("learning_curves", metric, mode)

    def plot_parallel_coordinate(
        self, metric: str | None = None, mode: str | None = None, params: Sequence[str] | None = None
    ) -> Any:
        """Return a figure with an axis for each parameter, and a line across them for each trial."""
        return self._figure("parallel_coordinate", metric, mode, params=params)

    def plot_param_importances(
        self,
        metric: str | None = None,
        mode: str | None = None,
        params: Sequence[str] | None = None,
        evaluator: str = "both",
    ) -> Any:
        """Return a figure of which parameters matter, by fANOVA and by permutation on a random forest.

        Args:
            metric: which metric.
            mode: makes no difference here.
            params: which parameters; the fifteen most telling ones where None.
            evaluator: ``"fanova"``, ``"permutation"`` or ``"both"``.
        """
        return self._figure("param_importances", metric, mode, params=params, evaluator=evaluator)

    def plot_slice(
        self, metric: str | None = None, mode: str | None = None, params: Sequence[str] | None = None
    ) -> Any:
        """Return a figure of the metric against each parameter."""
        return self._figure("slice", metric, mode, params=params)

    def plot_contour(
        self, metric: str | None = None, mode: str | None = None, params: Sequence[str] | None = None
    ) -> Any:
        """Return a figure of the metric over pairs of parameters, smoothed between trials."""
        return self._figure("contour", metric, mode, params=params)

    def plot_rank(self, metric: str | None = None, mode: str | None = None, params: Sequence[str] | None = None) -> Any:
        """Return a figure of the trials' ranks over pairs of parameters."""
        return self._figure("rank", metric, mode, params=params)

    def plot_edf(self, metric: str | None = None, mode: str | None = None) -> Any:
        """Return a figure of the empirical distribution of the trials' last values."""
        return self._figure("edf", metric, mode)

    def plot_pareto_front(self, metrics: Sequence[str] | None = None, modes: Sequence[str] | None = None) -> Any:
        """Return a figure of the trials by two metrics or more, and of their Pareto front."""
        from luthier.plots.pareto import pareto_front

        return pareto_front(self._chronicle(*(metrics or ())), metrics, modes)

    def plot_rungs(self) -> Any:
        """Return a figure of who came to which rung of which bracket, and who was stopped there."""
        return self._figure("rungs")

    def plot_lineage(self) -> Any:
        """Return a figure of which trials went on from which: population based training."""
        return self._figure("lineage")

    def plot_timeline(self) -> Any:
        """Return a figure of which worker had which trial when."""
        return self._figure("timeline")

    def save_report(self, path: str | os.PathLike[str], metric: str | None = None, mode: str | None = None) -> None:
        """Write a page with all figures that apply to *path*: one HTML file that needs nothing else."""
        from luthier.plots.report import report, write_report

        write_report(path, report(self._chronicle(*([metric] if metric else ())), (), metric, mode))

    def _figure(self, name: str, metric: str | None = None, mode: str | None = None, **more: Any) -> Any:
        from luthier.plots.catalogue import FIGURES

        found, entry = self._chronicle(*([metric] if metric else ())), FIGURES[name]
        return entry.draw(found, metric, mode, **more) if entry.measured else entry.draw(found)

    def _chronicle(self, *metrics: str) -> Chronicle:
        """Return what the log tells by now: read again only where it has grown, or another metric is asked for."""
        from luthier.plots.reading import read_chronicle
        from luthier.store.segments import listed

        there = listed(Path(self.experiment_path, "events"))
        extent = tuple((segment.first, segment.path.stat().st_size) for segment in there)
        if self._read is None or self._read[0] != extent or not set(metrics) <= self._read[1].curves.keys():
            known = list(self._read[1].curves) if self._read is not None else []
            found = read_chronicle(self.experiment_path, self._goals, dict.fromkeys([*known, *metrics]))
            self._read = extent, found
        return self._read[1]
