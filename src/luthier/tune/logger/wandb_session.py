"""W&B runs within a trial, for those who call ``wandb.log`` themselves."""

from __future__ import annotations

import functools
import inspect
import logging
import os
from typing import TYPE_CHECKING, Any, TypeVar

from luthier.callbacks.wandb.job import KEYS, run_id, told_in, without_words
from luthier.callbacks.wandb.rows import config_of
from luthier.core.errors import BadArgument, NotAnExperiment
from luthier.core.terms import Outcome
from luthier.store.card import ExperimentCard
from luthier.tune.installed import demand
from luthier.tune.logger.wandb_words import KEY, key_of, project_of
from luthier.worker.session import current

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wandb import Run

    from luthier.worker.assignment import Assignment

T = TypeVar("T")

log = logging.getLogger("luthier")


def setup_wandb(
    config: Mapping[str, Any] | None = None,
    api_key: str | None = None,
    api_key_file: str | os.PathLike[str] | None = None,
    rank_zero_only: bool = True,  # noqa: ARG001 (Ray's; each trial has one process here)
    **init: Any,
) -> Run:
    """Begin a W&B run in a trial and return it; ``wandb.log`` works from then on.

    The run has the trial's id and name and the experiment's name as its group.  It is closed when the attempt ends, as
    failed where that raised; a further attempt at the same trial goes on with it.  Where W&B cannot be reached, it is
    written down in the trial's directory, and ``wandb sync`` sends it later.

    Args:
        config: shown as the run's config; what it says under ``wandb`` counts as arguments.
        api_key: the API key; neither this nor *api_key_file* where the client knows it already.
        api_key_file: file with the API key.
        rank_zero_only: accepted so that scripts run.
        init: arguments of ``wandb.init``, which go before all that is chosen here.

    Raises:
        MissingLibrary: the client is not installed.
        BadArgument: the key is given twice, or the file cannot be read.

    >>> def train(config):
    ...     run = setup_wandb(config, project="digits")
    ...     run.log({"loss": 0.5})
    """
    demand("setup_wandb", "wandb", "wandb", later=True)
    config = {} if config is None else dict(config)
    told = told_in(config)
    key = key_of(api_key or told.get("api_key"), api_key_file or told.get("api_key_file"))
    if key:
        os.environ[KEY] = key
    session = current()
    words = {**_chosen(None if session is None else session.assignment, init), "config": _shown(config)}
    words |= {name: value for name, value in told.items() if name not in KEYS}
    words |= {name: value for name, value in init.items() if name not in ("trial_id", "trial_name")}
    project = project_of(words.get("project"))
    if project is not None:
        words["project"] = project
    if words.get("dir") is not None:
        os.makedirs(words["dir"], exist_ok=True)
    run = _begun(words)
    if session is not None:
        session.closing.append(functools.partial(_end, run))
    return run


def wandb_mixin(trainable: T) -> T:
    """Begin a W&B run before *trainable* is called: a function, or a ``Trainable`` class.

    What is to be told stands in the config, under ``wandb``: ``api_key_file``, ``api_key``, and arguments of
    ``wandb.init``; ``group``, ``id`` and ``name`` are chosen where they are missing.

    Raises:
        MissingLibrary: the client is not installed.

    >>> @wandb_mixin
    ... def train(config):
    ...     wandb.log({"loss": config["x"]})
    """
    demand("wandb_mixin", "wandb", "wandb", later=True)
    if inspect.isclass(trainable):
        return _with_run(trainable)  # type: ignore[return-value]
    function: Any = trainable

    @functools.wraps(function)
    def tracked(config: dict[str, Any], *more: Any, **named: Any) -> Any:
        _demand_words(config)
        setup_wandb(config)
        return function(config, *more, **named)

    return tracked  # type: ignore[return-value]


class WandbTrainableMixin:
    """Gives a ``Trainable`` class a W&B run, as ``self.wandb``: ``class Training(WandbTrainableMixin, Trainable)``."""

    wandb: Any = None

    def __init__(self, config: dict[str, Any] | None = None, *more: Any, **named: Any) -> None:
        demand("WandbTrainableMixin", "wandb", "wandb", later=True)
        _demand_words(config or {})
        self.wandb = setup_wandb(config)
        super().__init__(config, *more, **named)  # type: ignore[call-arg]  # of the Trainable that it is mixed into

    def reset(self, new_config: dict[str, Any], *more: Any, **named: Any) -> bool:
        """Become the trainable of *new_config*, with a run of its own."""
        done = bool(super().reset(new_config, *more, **named))  # type: ignore[misc]
        if done:
            self.wandb = setup_wandb(new_config)
        return done


def _with_run(cls: type) -> type:
    """Return *cls* itself, which has a run from now on: another class would break ``super(Training, self)`` in it."""
    begin, reset = cls.__init__, cls.reset  # type: ignore[misc,attr-defined]

    @functools.wraps(begin)
    def begin_with_run(self: Any, config: dict[str, Any] | None = None, *more: Any, **named: Any) -> None:
        _demand_words(config or {})
        self.wandb = setup_wandb(config)
        begin(self, config, *more, **named)

    @functools.wraps(reset)
    def reset_with_run(self: Any, new_config: dict[str, Any], *more: Any, **named: Any) -> bool:
        done = bool(reset(self, new_config, *more, **named))
        if done:
            self.wandb = setup_wandb(new_config)
        return done

    cls.__init__, cls.reset = begin_with_run, reset_with_run  # type: ignore[misc,attr-defined]
    return cls


def _demand_words(config: dict[str, Any]) -> None:
    if not told_in(config):
        raise BadArgument("config", sorted(map(str, config)), 'one with {"wandb": {"project": ...}} for wandb_mixin')


def _chosen(given: Assignment | None, init: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is chosen for a run: by the trial, where it is one's."""
    words: dict[str, Any] = {"allow_val_change": True, "reinit": "finish_previous"}
    group = os.environ.get("WANDB_GROUP_NAME")
    if given is not None:
        words |= {"name": given.name, "group": given.experiment, "resume": "allow"}
        words["dir"] = os.environ.get("WANDB_DIR") or given.trial_dir
        try:
            card = ExperimentCard.read(given.experiment_dir, unpickle=False)
        except NotAnExperiment:  # one that an executor runs by hand
            words["id"] = str(given.trial)
        else:
            words["id"] = run_id(given.trial, card.prefix, card.created, card.seed)
    if group:
        words["group"] = group
    for name, argument in (("id", "trial_id"), ("name", "trial_name")):
        if init.get(argument):
            words[name] = init[argument]
    return words


def _shown(config: dict[str, Any]) -> dict[str, Any]:
    return config_of(without_words(config))


def _begun(words: dict[str, Any]) -> Run:
    """Begin a run; where W&B cannot be reached, write it down."""
    import wandb

    offline = (words.get("mode") or os.environ.get("WANDB_MODE") or "online") != "online"
    if offline:
        words.pop("resume", None)  # nobody knows what to resume
        return wandb.init(**words)
    try:
        return wandb.init(**words)
    except wandb.errors.Error as error:
        first = str(error).split("\n", 1)[0]
        log.warning("W&B cannot be reached (%s); the run is written down instead: wandb sync sends it later", first)
    wandb.teardown()  # its service holds the run's id, and tries for ever
    words.pop("resume", None)
    return wandb.init(**{**words, "mode": "offline"})


def _end(run: Run, outcome: Outcome) -> None:
    run.finish(exit_code=1 if outcome is Outcome.ERROR else 0)
