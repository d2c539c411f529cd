"""Loggers as Ray Tune 1.x had them, one object for each trial: ``tune.run(loggers=DEFAULT_LOGGERS + (...,))``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.tune.flat import flattened

if TYPE_CHECKING:
    from luthier.tune.trial import Trial


class Logger:
    """Start for own loggers of the older kind: made anew for each trial.

    Args:
        config: the trial's config.
        logdir: the trial's directory.
        trial: the trial.

    >>> class Lines(Logger):
    ...     def on_result(self, result):
    ...         print(self.trial, result["loss"])
    """

    def __init__(self, config: dict[str, Any], logdir: str, trial: Trial | None = None) -> None:
        self.config, self.logdir, self.trial = config, logdir, trial
        self._init()

    def _init(self) -> None:
        """Be called once *config*, *logdir* and *trial* are there."""

    def on_result(self, result: dict[str, Any]) -> None:
        """Be called for each *result*."""

    def update_config(self, config: dict[str, Any]) -> None:
        """Be called when the trial goes on with another *config*."""

    def flush(self) -> None:
        """Be called when what was logged is to be safe."""

    def close(self) -> None:
        """Be called when the trial has come to its end."""


class NoopLogger(Logger):
    """Logs nothing.

    >>> NoopLogger({}, "results/t0").on_result({"loss": 1})
    """


class JsonLogger(Logger):
    """The name of what writes ``result.json``: every experiment does, told to or not."""


class CSVLogger(Logger):
    """The name of what writes ``progress.csv``: every experiment does, told to or not."""


class TBXLogger(Logger):
    """Writes what one trial reports for TensorBoard, in its directory; :class:`TBXLoggerCallback` does so for all."""

    def _init(self) -> None:
        from luthier.tune.logger.tensorboardx import TBXLoggerCallback
        from luthier.tune.logger.tracked import Tracked

        name = str(self.trial or self.config.get("trial_id", ""))
        self._tracked = Tracked(name, name, "", "", self.logdir, flattened(self.config))
        self._writer = TBXLoggerCallback()
        self._writer.begin(self._tracked, known=False)

    def on_result(self, result: dict[str, Any]) -> None:
        """Take a *result*; it is written within seconds."""
        from luthier.tune.logger.tracked import reading

        self._writer.result(self._tracked, reading(result))

    def flush(self) -> None:
        """Write what is held back."""
        self._writer.flush()

    def close(self) -> None:
        """Say that the trial has ended."""
        self._writer.end(self._tracked, failed=False)


DEFAULT_LOGGERS: tuple[type[Logger], ...] = (JsonLogger, CSVLogger)
