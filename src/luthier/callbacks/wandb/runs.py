"""The runs that are open at W&B, all of them in this process and with one service of the client's."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from luthier.callbacks.wandb.rows import config_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from luthier.callbacks.wandb.job import Job

MOST_IDLE = 32  # runs of trials that wait or pause which stay open
AWAY = 255  # exit code of a run whose trial is to go on later
_AT_ONCE = 8  # runs that are closed at the same time, where each waits for the network


class Unreachable(Exception):
    """W&B cannot be reached, or does not let us in."""


class Refused(Exception):
    """What is asked of W&B for one trial cannot be done, however often it is tried; others' runs are not concerned."""


class Runs:
    """Opens and closes runs.

    Args:
        job: what all runs have in common.
        say: gets a line for people.

    Attributes:
        say: the same.
    """

    def __init__(self, job: Job, say: Callable[[str], None]) -> None:
        self._job, self.say = job, say
        self._pool: ThreadPoolExecutor | None = None
        self._closing: dict[str, Future[None]] = {}  # by id of the run
        self._source: dict[str, Any] = {}  # settings: what the first run has found out by asking git, several times

    @property
    def offline(self) -> bool:
        """Whether nothing is sent."""
        return self._job.offline or _mode(self._job.init) != "online"

    def open(self, job: Job, run_id: str, name: str, group: str, folder: str, config: dict[str, Any]) -> Any:
        """Open the run of a trial, or open it again.

        Raises:
            Unreachable: that does not work, and it was tried over the network.
            Refused: the arguments for this run cannot be used.
        """
        import wandb

        before = self._closing.pop(run_id, None)
        if before is not None:
            before.result()
        mode = "offline" if self._job.offline and _mode(job.init) == "online" else _mode(job.init)
        key = {"api_key": self._job.key} if self._job.key and mode == "online" else {}
        try:
            words = self._words(job, run_id, name, group, folder, config, key)
            if mode != "online":
                words.pop("resume", None)  # nobody knows what to resume; the client would say so each time
            words["mode"] = mode
            os.makedirs(words["dir"], exist_ok=True)
        except Exception as error:
            raise _refusal(error) from error
        try:
            run = wandb.init(**words)
        except Exception as error:
            if _is_ours(error, online=mode == "online"):
                raise _refusal(error) from error
            if mode != "online":
                raise
            raise Unreachable(_first_line(error)) from error
        if not self._source:
            found = {name: getattr(run.settings, name, None) for name in ("git_commit", "git_remote_url", "git_root")}
            self._source = {"disable_git": True, **{name: value for name, value in found.items() if value}}
        return run

    def _words(
        self, job: Job, run_id: str, name: str, group: str, folder: str, config: dict[str, Any], key: dict[str, str]
    ) -> dict[str, Any]:
        """Return the arguments of ``wandb.init``."""
        init = dict(job.init)
        settings = self._settings(init.pop("settings", None), key)
        return {
            "resume": "allow",
            "dir": init.pop("dir", None) or os.environ.get("WANDB_DIR") or folder,
            "config": {**config_of(init.pop("config", None) or {}), **config_of(config)},
            "group": group,
            "name": name,
            **init,
            "id": run_id,
            "reinit": "create_new",
            "settings": settings,
        }

    def _settings(self, given: Any, key: dict[str, str]) -> Any:
        """Return settings in which this process does not pose as the trial: what it prints and uses is no news."""
        import wandb

        told: dict[str, Any] = {}
        if given is not None:
            told = dict(given) if isinstance(given, dict) else given.model_dump(exclude_unset=True)
        own: dict[str, Any] = {
            "console": "off",
            "silent": True,
            "x_disable_stats": True,
            "x_save_requirements": False,
            "disable_job_creation": True,
            "finish_timeout": self._job.timeout_s,
            **self._source,
        }
        known = set(wandb.Settings.model_fields)
        told = {name: value for name, value in told.items() if name != "api_key" or value}
        return wandb.Settings(**{name: value for name, value in {**own, **told, **key}.items() if name in known})

    def close(self, run: Any, run_id: str, exit_code: int, then: Callable[[], None]) -> None:
        """Close *run*; *then* is called where that worked: at once, or at the latest in :meth:`settle`."""
        if exit_code == AWAY:
            run.mark_preempting()  # W&B shows it as preempted, not as failed
        if self.offline:
            run.finish(exit_code=exit_code)
            then()
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AT_ONCE)

        def finish() -> None:
            run.finish(exit_code=exit_code)
            then()

        self._closing = {other: future for other, future in self._closing.items() if not future.done()}
        self._closing[run_id] = self._pool.submit(finish)

    def settle(self) -> None:
        """Wait until all that is being closed is closed, and let the client's service go."""
        import wandb

        for run_id, future in self._closing.items():
            error = future.exception()
            if error is not None:
                self.say(f"run {run_id} could not be closed: {_first_line(error)}")
        self._closing.clear()
        if self._pool is not None:
            self._pool.shutdown()
        wandb.teardown()


def _mode(init: dict[str, Any]) -> str:
    """Return the mode in which runs are opened."""
    mode = init.get("mode") or os.environ.get("WANDB_MODE") or "online"
    return {"dryrun": "offline", "run": "online"}.get(mode, str(mode))


def _is_ours(error: Exception, *, online: bool) -> bool:
    """Return whether the client refused what it was given, and neither the network nor its service is to blame."""
    from wandb.errors import UsageError

    if isinstance(error, UsageError):
        return not (online and "API key" in str(error))
    return isinstance(error, TypeError | ValueError) and not isinstance(error, OSError)  # both: an answer that is none


def _refusal(error: Exception) -> Refused:
    said = _first_line(error)
    return Refused(said if isinstance(error, OSError) else f"the client does not take what it is given ({said})")


def _first_line(error: BaseException) -> str:
    """Return what *error* says, in a line; of values only misspelt words, as others may be the API key."""
    if isinstance(error, ValueError) and (errors := getattr(error, "errors", None)):  # pydantic's
        parts = []
        for told in errors():
            given = f", not {told['input']!r}" if told["type"] == "literal_error" else ""
            parts.append(f"{'.'.join(map(str, told['loc']))}: {told['msg']}{given}")
        return f"{type(error).__name__}: {'; '.join(parts)}"[:300]
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
