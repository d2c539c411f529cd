"""A reporter of progress, users' own or ours, as a listener."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from luthier.core.errors import BadArgumentType, LuthierError
from luthier.core.terms import HELD
from luthier.tune.progress_reporter import ProgressReporter, TableReporter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.events import Event
    from luthier.core.goal import Goal
    from luthier.core.state import ExperimentState
    from luthier.tune.adapt.roster import Roster

log = logging.getLogger("luthier")


def check(reporter: object) -> None:
    """Refuse what is no reporter.

    Raises:
        BadArgumentType: it is none.
    """
    if reporter is not None and not isinstance(reporter, ProgressReporter):
        wanted = "an object of a subclass of luthier.tune.ProgressReporter, e.g. tune.CLIReporter()"
        raise BadArgumentType("progress_reporter", reporter, wanted)


class Reporting:
    """Asks a reporter whether it wants to report, and has it report.  What it raises is logged once, and forgotten.

    Args:
        reporter: the users' object.
        roster: the trials.
        capacity: what there is for trials to hold.
    """

    def __init__(self, reporter: ProgressReporter, roster: Roster, capacity: Mapping[str, float]) -> None:
        self._reporter, self._roster, self._capacity = reporter, roster, dict(capacity)
        self._experiment: ExperimentState | None = None
        self._broken: set[str] = set()

    def start(self, began: float, total: int | None, goals: Sequence[Goal], verbose: int) -> None:
        """Tell the reporter of the experiment.

        Raises:
            BadArgument: the reporter has a metric of its own, and it is another.
        """
        if isinstance(self._reporter, TableReporter):
            self._reporter.verbose = verbose
        metric, mode = (goals[0].metric, goals[0].mode) if len(goals) == 1 else (None, None)
        try:
            self._reporter.setup(start_time=began, total_samples=total, metric=metric, mode=mode)
        except LuthierError:
            raise
        except Exception as error:  # noqa: BLE001 (the user's own)
            self._complain("setup", error)

    def on_events(self, events: Sequence[Event], experiment: ExperimentState) -> None:
        """Take note."""
        self._experiment = experiment
        self._roster.notice(experiment)

    def on_tick(self, now: float) -> None:
        """Let the reporter report, if it wants to."""
        if self._experiment is not None:
            self._report(done=False)

    def close(self) -> None:
        """Let the reporter report the end."""
        self._report(done=True)
        self._experiment = None

    def _report(self, *, done: bool) -> None:
        hook = "should_report"
        try:
            if self._reporter.should_report(list(self._roster.trials), done=done):
                hook = "report"
                self._reporter.report(list(self._roster.trials), done, *self._usage())
        except Exception as error:  # noqa: BLE001 (the user's own)
            self._complain(hook, error)

    def _usage(self) -> list[str]:
        if self._experiment is None:
            return []
        used = dict.fromkeys(self._capacity, 0.0)
        for status in HELD:
            for trial in self._experiment.by_status[status]:
                for name, amount in self._experiment.trials[trial].resources.items():
                    used[name] = used.get(name, 0.0) + amount
        said = ", ".join(f"{used[name]:g}/{total:g} {name.upper()}s" for name, total in self._capacity.items())
        return [f"Logical resource usage: {said}"]

    def _complain(self, hook: str, error: Exception) -> None:
        if hook in self._broken:
            return
        self._broken.add(hook)
        text = "%s.%s raised; the experiment goes on"
        log.error(text, type(self._reporter).__name__, hook, exc_info=error)
