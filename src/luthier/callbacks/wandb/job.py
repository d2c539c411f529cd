"""What the process that tells W&B is to do, and how its answers read."""

from __future__ import annotations

import os
from typing import Any

import msgspec

LOG = "wandb-errors.txt"  # in the experiment's directory: what went wrong, if anything
OFFLINE_INSTEAD = 75  # exit code: W&B cannot be reached, begin again without it
KEYS = ("api_key", "api_key_file", "excludes", "log_config")  # what is not for wandb.init


class Job(msgspec.Struct, frozen=True):
    """What is told to W&B, and how.

    Attributes:
        directory: the experiment's directory.
        init: arguments of ``wandb.init``, for all runs.
        by_trial: whether a trial's own config says more, under ``wandb``.
        excludes: metrics that are not told.
        log_config: whether each row has the config that it came from.
        upload_checkpoints: whether checkpoints become artifacts.
        image: arguments of ``wandb.Image``.
        video: arguments of ``wandb.Video``.
        key: the API key, where one was given.
        timeout_s: seconds that the last uploads may take once the experiment is over.
        program: what W&B is told that runs.
        offline: whether W&B is out of reach.
    """

    directory: str
    init: dict[str, Any] = {}
    by_trial: bool = False
    excludes: tuple[str, ...] = ()
    log_config: bool = False
    upload_checkpoints: bool = False
    image: dict[str, Any] = {}
    video: dict[str, Any] = {}
    key: str = ""
    timeout_s: float = 1800.0
    program: str = ""
    offline: bool = False

    def __repr__(self) -> str:
        return f"Job({self.directory!r})"  # the key is nobody's business

    @property
    def target(self) -> str:
        """Where it is told, for :class:`~luthier.callbacks.wandb.journal.Journal`."""
        return "config" if self.by_trial else f"{self.init.get('entity') or ''}/{self.init.get('project') or ''}"

    def of(self, config: dict[str, Any]) -> Job:
        """Return the job as the trial of *config* wants it."""
        given = told_in(config) if self.by_trial else {}
        if not given:
            return self
        excludes = given.get("excludes") or self.excludes
        return msgspec.structs.replace(
            self,
            init={**self.init, **{name: value for name, value in given.items() if name not in KEYS}},
            excludes=(excludes,) if isinstance(excludes, str) else tuple(excludes),
            log_config=bool(given.get("log_config", self.log_config)),
        )


def told_in(config: dict[str, Any]) -> dict[str, Any]:
    """Return what *config* says of W&B, in one of the two places where that may be.

    >>> told_in({"lr": 0.1, "wandb": {"project": "digits"}})
    {'project': 'digits'}
    """
    for place in (config, config.get("logger_config")):
        found = place.get("wandb") if isinstance(place, dict) else None
        if isinstance(found, dict):
            return found
    return {}


def without_words(config: dict[str, Any]) -> dict[str, Any]:
    """Return *config* without what it says to loggers.

    >>> without_words({"lr": 0.1, "wandb": {"project": "digits"}})
    {'lr': 0.1}
    """
    return {name: value for name, value in config.items() if name not in ("wandb", "logger_config")}


def key_in(path: str) -> str:
    """Return the API key in the file at *path*.

    Raises:
        OSError: it cannot be read.
    """
    with open(os.path.expanduser(path), encoding="utf-8") as file:
        return file.readline().strip()


def run_id(trial: str, prefix: str, created: float, seed: int) -> str:
    """Return the id of a trial's run: the same whenever the experiment goes on, and no other experiment's.

    >>> run_id("1f3a0_00002", "1f3a0", 1790000000.25, 7)
    '1f3a0_00002-19b6f7'
    """
    import hashlib

    told = hashlib.sha256(f"{prefix} {created!r} {seed}".encode()).hexdigest()
    return f"{trial}-{told[:6]}"
