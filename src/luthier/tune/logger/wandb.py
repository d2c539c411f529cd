"""Loggers that tell Weights & Biases."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from luthier.callbacks.wandb.job import Job, told_in
from luthier.callbacks.wandb.telling import Telling
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.installed import demand
from luthier.tune.logger.logger import LoggerCallback
from luthier.tune.logger.old import Logger
from luthier.tune.logger.wandb_words import MODES, key_of, keyless, must_travel, project_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.tune.trial import Trial

log = logging.getLogger("luthier")


class WandbLoggerCallback(LoggerCallback):
    """Tells W&B what all trials report: a run for each, in one group.

    One process does that for all of them; it follows the experiment's log, so that neither a trial nor the experiment
    ever waits for W&B.  Where W&B cannot be reached, runs are written down in the trials' directories, and
    ``wandb sync`` sends them later.  An experiment that goes on goes on with the same runs.

    Args:
        project: the project at W&B; ``$WANDB_PROJECT`` where None.
        group: the runs' group; the experiment's name where None.
        api_key_file: file with the API key.
        api_key: the API key; neither of the two where the client knows it already (``wandb login``,
            ``$WANDB_API_KEY``).
        excludes: metrics that are not told.
        log_config: whether each row has the trial's config; without, the parameters that change on the way are told.
        upload_checkpoints: whether checkpoints become artifacts.
        save_checkpoints: older name of *upload_checkpoints*.
        upload_timeout: seconds that the experiment waits at its end for W&B to take the last results.
        video_kwargs: arguments of ``wandb.Video``, which arrays of five axes are shown as.
        image_kwargs: arguments of ``wandb.Image``, which arrays of three axes are shown as.
        init: further arguments of ``wandb.init``, such as ``entity``, ``tags``, ``mode``, ``settings``.

    Raises:
        MissingLibrary: the client is not installed.
        BadArgument: an argument cannot be used.

    >>> logger = WandbLoggerCallback(project="digits", mode="offline", tags=["first"])
    >>> logger
    WandbLoggerCallback(project='digits')
    """

    _by_trial, _who = False, "WandbLoggerCallback"

    def __init__(  # noqa: PLR0917 (Ray Tune's)
        self,
        project: str | None = None,
        group: str | None = None,
        api_key_file: str | os.PathLike[str] | None = None,
        api_key: str | None = None,
        excludes: Sequence[str] | None = None,
        log_config: bool = False,
        upload_checkpoints: bool = False,
        save_checkpoints: bool = False,
        upload_timeout: float = 1800,
        video_kwargs: dict[str, Any] | None = None,
        image_kwargs: dict[str, Any] | None = None,
        **init: Any,
    ) -> None:
        demand(self._who, "wandb", "wandb", later=True)
        if "settings" in init:
            init["settings"], inner = keyless(init["settings"])
            api_key = api_key or inner
        key_of(api_key, api_key_file)
        if init.get("mode") is not None and init["mode"] not in MODES:
            raise BadArgument("mode", init["mode"], f"one of {', '.join(MODES)}")
        if isinstance(excludes, str):
            raise BadArgumentType("excludes", excludes, "a list of names of metrics")
        if isinstance(upload_timeout, bool) or not isinstance(upload_timeout, (int, float)) or not upload_timeout > 0:
            raise BadArgument("upload_timeout", upload_timeout, "a number of seconds > 0")
        self.project, self.group = project_of(project), group or os.environ.get("WANDB_GROUP_NAME")
        if self.project is None and not self._by_trial:
            raise BadArgument("project", project, "the name of a project, or $WANDB_PROJECT")
        self.api_key_file, self._key = api_key_file, api_key
        self.excludes, self.log_config = tuple(excludes or ()), bool(log_config)
        self.upload_checkpoints, self.upload_timeout = bool(upload_checkpoints or save_checkpoints), upload_timeout
        self.video_kwargs, self.image_kwargs = dict(video_kwargs or {}), dict(image_kwargs or {})
        must_travel({**init, "group": group, "image_kwargs": self.image_kwargs, "video_kwargs": self.video_kwargs})
        self.init = init
        self._telling: Telling | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(project={self.project!r})"  # the key is nobody's business

    def __getstate__(self) -> dict[str, Any]:
        """Return what may be written down: all but the API key."""
        return {**self.__dict__, "_key": None, "_telling": None}

    def setup(
        self,
        stop: Any = None,
        num_samples: int | None = None,
        total_num_samples: int | None = None,
        **info: Any,
    ) -> None:
        """Start the process that tells W&B."""
        if type(self).log_trial_result is not LoggerCallback.log_trial_result:
            log.warning(
                "%s.log_trial_result is called, and W&B is not told by it but from the log: what it changes is not "
                "seen there. Report it, or begin runs of your own in the trials: setup_wandb.",
                type(self).__name__,
            )
        init: dict[str, Any] = {"project": self.project, **self.init}
        if self.group:
            init["group"] = self.group
        self._telling = Telling(
            Job(
                directory=self.experiment_dir,
                init={name: value for name, value in init.items() if value is not None},
                by_trial=self._by_trial,
                excludes=self.excludes,
                log_config=self.log_config,
                upload_checkpoints=self.upload_checkpoints,
                image=self.image_kwargs,
                video=self.video_kwargs,
                key=key_of(self._key, self.api_key_file),
                timeout_s=self.upload_timeout,
                program=sys.argv[0] if sys.argv else "",
            )
        )

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        """Wait until W&B has all results; after an interrupt, only for a moment."""
        if self._telling is not None:
            telling, self._telling = self._telling, None
            telling.finish(interrupted=not all(trial.is_finished() for trial in trials))


class _ByTrial(WandbLoggerCallback):
    """Tells W&B what each trial's own config says under ``wandb``."""

    _by_trial, _who = True, "WandbLogger"


class WandbLogger(Logger):
    """Tells W&B, as a logger of Ray Tune 1.x: ``tune.run(loggers=DEFAULT_LOGGERS + (WandbLogger,))``.

    What to tell stands in the search space, under ``wandb`` (or ``logger_config``, then ``wandb``): ``api_key_file``,
    ``api_key``, ``excludes`` and ``log_config`` as in :class:`WandbLoggerCallback`, all else is for ``wandb.init``.
    The key is taken out before anything is written.

    >>> WandbLogger.callback({"lr": 0.1, "wandb": {"project": "digits"}})
    _ByTrial(project='digits')
    """

    @classmethod
    def callback(cls, config: dict[str, Any]) -> WandbLoggerCallback:
        """Return the callback that does the work.

        Raises:
            BadArgument: *config* says nothing of W&B.
        """
        told = told_in(config)
        if not told:
            raise BadArgument(
                "config", sorted(map(str, config)), 'one with {"wandb": {"project": ...}} for WandbLogger'
            )
        project = told.get("project")
        known = {name: told[name] for name in ("api_key", "api_key_file") if told.get(name) is not None}
        return _ByTrial(project if isinstance(project, str) else None, **known)
