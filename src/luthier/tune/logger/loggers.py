"""Loggers of the older kind, which are classes, as a callback."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgumentType
from luthier.tune.logger.logger import LoggerCallback
from luthier.tune.logger.old import CSVLogger, JsonLogger, Logger, NoopLogger
from luthier.tune.logger.tracker import for_each
from luthier.tune.logger.wandb import WandbLogger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.tune.trial import Trial

_ALWAYS = (JsonLogger, CSVLogger, NoopLogger)  # what they stand for is done anyway


class LegacyLoggerCallback(LoggerCallback):
    """Makes loggers of the older kind for each trial, and tells them; one that raises hinders no other.

    Args:
        logger_classes: subclasses of :class:`~luthier.tune.logger.Logger`.

    Raises:
        BadArgumentType: one of them is none.

    >>> LegacyLoggerCallback([NoopLogger]).logger_classes
    (<class 'luthier.tune.logger.old.NoopLogger'>,)
    """

    def __init__(self, logger_classes: Iterable[type[Logger]]) -> None:
        self.logger_classes = tuple(logger_classes)
        for i, given in enumerate(self.logger_classes):
            if not inspect.isclass(given) or not issubclass(given, Logger):
                raise BadArgumentType(f"loggers[{i}]", given, "a subclass of luthier.tune.logger.Logger")
        self._made: dict[str, list[Logger]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return what may be written down: loggers hold open files."""
        return {**self.__dict__, "_made": {}}

    def log_trial_start(self, trial: Trial) -> None:
        """Make the trial's loggers; tell those that are there of its config."""
        made = self._made.get(trial.trial_id)
        if made is not None:
            for_each(lambda logger: logger.update_config(trial.config), made)
            return
        made = self._made[trial.trial_id] = []
        for_each(lambda cls: made.append(cls(trial.config, trial.logdir, trial)), self.logger_classes)

    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        """Pass *result* on."""
        for_each(lambda logger: logger.on_result(result), self._made.get(trial.trial_id, ()))

    def log_trial_save(self, trial: Trial) -> None:
        """Have the loggers write what they hold back."""
        for_each(lambda logger: logger.flush(), self._made.get(trial.trial_id, ()))

    def log_trial_end(self, trial: Trial, failed: bool = False) -> None:
        """Close the trial's loggers."""
        made = self._made.pop(trial.trial_id, [])
        for_each(lambda step: step(), [step for logger in made for step in (logger.flush, logger.close)])

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        """Close what is open."""
        for_each(self.log_trial_end, trials)


def with_loggers(callbacks: Any, loggers: Any, config: dict[str, Any] | None) -> Sequence[Any] | None:
    """Return *callbacks* and, as further ones, *loggers* of an experiment with *config* as its space.

    Raises:
        BadArgument: one of them is no class of loggers, or *config* lacks what it needs.

    >>> with_loggers(None, [JsonLogger], {}) is None
    True
    """
    if not loggers:
        return callbacks  # type: ignore[no-any-return]
    if not isinstance(loggers, (list, tuple)):
        raise BadArgumentType("loggers", loggers, "a tuple of classes, such as DEFAULT_LOGGERS + (WandbLogger,)")
    others = [given for given in loggers if given not in _ALWAYS]
    ours = [given for given in others if inspect.isclass(given) and issubclass(given, WandbLogger)]
    more: list[LoggerCallback] = [given.callback(config or {}) for given in ours]
    rest = [given for given in others if given not in ours]
    if rest:
        more.append(LegacyLoggerCallback(rest))
    return [*(callbacks or ()), *more] if more else callbacks
