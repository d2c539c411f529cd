"""Start for own reporters of progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.tune.trial import Trial


class ProgressReporter:
    """Start for own reporters: given as ``RunConfig(progress_reporter=...)``, they stand in for the table.

    A few times a second, and once at the end, :meth:`should_report` is asked whether :meth:`report` is to be called.
    What they raise is shown once and does not disturb the experiment.

    >>> class Counts(ProgressReporter):
    ...     def should_report(self, trials, done=False):
    ...         return done
    ...     def report(self, trials, done, *sys_info):
    ...         print(len(trials), "trials")
    """

    def setup(
        self,
        start_time: float | None = None,
        total_samples: int | None = None,
        metric: str | None = None,
        mode: str | None = None,
        **more: Any,
    ) -> None:
        """Be told, before anything else, of the experiment.

        Args:
            start_time: when it began, in unix seconds.
            total_samples: how many trials there will be, where that is known.
            metric: the metric that is optimised.
            mode: ``"min"`` or ``"max"``.
            more: what later releases may tell.
        """
        self.set_start_time(start_time)
        self.set_total_samples(total_samples)
        self.set_search_properties(metric, mode)

    def set_search_properties(self, metric: str | None, mode: str | None) -> bool:
        """Be told what is optimised, and how."""
        return True

    def set_total_samples(self, total_samples: int | None) -> None:
        """Be told how many trials there will be."""

    def set_start_time(self, timestamp: float | None = None) -> None:
        """Be told when the experiment began."""

    def should_report(self, trials: Sequence[Trial], done: bool = False) -> bool:
        """Return whether to report now; *done* at the end.

        Raises:
            NotImplementedError: the reporter does not say.
        """
        raise NotImplementedError

    def report(self, trials: Sequence[Trial], done: bool, *sys_info: str) -> None:
        """Report; *sys_info* are lines about resources.

        Raises:
            NotImplementedError: the reporter does not say how.
        """
        raise NotImplementedError
