"""An experiment that runs in the background."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luthier.tune.conduct import Experiment
    from luthier.tune.result_grid import ResultGrid


class Running:
    """What ``fit(background=True)`` returns: a handle on an experiment that goes on beside the script.

    Attributes:
        directory: the experiment's directory.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self.directory = experiment.directory
        self._grid: ResultGrid | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"luthier {self.directory}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._grid = self._experiment.run()
        except BaseException as error:  # noqa: BLE001 (handed on by result())
            self._error = error

    def done(self) -> bool:
        """Return whether it has come to its end."""
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Ask it to end: running trials let go, all is saved.  Returns at once."""
        self._experiment.stop()

    def result(self, timeout: float | None = None) -> ResultGrid:
        """Wait for the end and return the results.

        Raises:
            TimeoutError: it is not over after *timeout* seconds.
        """
        self._thread.join(timeout)
        if self._thread.is_alive():
            msg = f"the experiment in {self.directory} still runs after {timeout} s"
            raise TimeoutError(msg)
        if self._error is not None:
            raise self._error
        assert self._grid is not None  # noqa: S101 (one of the two is set)
        return self._grid
