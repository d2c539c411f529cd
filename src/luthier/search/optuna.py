"""Optuna as a searcher: a study of its own, or one in the user's storage."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.search.optuna_space import quietly
from luthier.search.study import Suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import optuna

    from luthier.core.goal import Goal, Score
    from luthier.core.terms import Config
    from luthier.search.known import Known
    from luthier.search.optuna_space import Walk

TAG = "luthier"  # a trial's user attribute: which of which experiment's it is
# What these propose follows from the trials; others keep a state of their own, and are asked again in a replay.
_STATELESS = ("TPESampler", "RandomSampler", "BruteForceSampler")


class OptunaStudy:
    """A study of Optuna's.

    Trials that fail, and those whose metrics are not finite, are told ``FAIL``; those that a scheduler stopped
    ``PRUNED``, with what they reported on the way (with several goals Optuna knows no pruning: they are told
    ``COMPLETE``).  Proposals that never became trials are told ``FAIL``.

    Args:
        walk: how configs are made.
        goals: what is optimised: Optuna is told the metrics' own values and directions.
        seed: the experiment's; with *storage* it tells its trials from those of others.
        known: what was evaluated elsewhere.
        sampler: one of Optuna's; None for ``TPESampler``, which takes running trials into account.
        storage: where the study is kept; None for memory.  Trials that are in it already count.
        name: the study's.

    Source: Akiba et al., "Optuna: a next-generation hyperparameter optimization framework", KDD 2019, section 3.
    """

    def __init__(
        self,
        walk: Walk,
        goals: Sequence[Goal],
        seed: int = 0,
        known: Sequence[Known] = (),
        sampler: optuna.samplers.BaseSampler | None = None,
        storage: optuna.storages.BaseStorage | str | None = None,
        name: str = "optuna",
    ) -> None:
        self.walk, self.goals, self.seed, self.known, self.name = walk, tuple(goals), seed, known, name
        self.sampler = tpe() if sampler is None else sampler
        self.given = storage
        self.retraced = storage is None and type(self.sampler).__name__ not in _STATELESS
        self._study: Any = None
        self._storage: Any = None
        self._id = -1
        self._births = 0
        self._before: dict[str, int] = {}  # trials of this experiment that the storage has already, by their tags
        self._over = False

    # -- what a library does -------------------------------------------------------------------------------------------
    def propose(self, seed: int) -> Suggestion | Nothing:
        """Return a new point, and the number that Optuna's storage gave to its trial."""
        study = self._opened()
        if self._over:
            return Nothing.EXHAUSTED
        reseed(self.sampler, seed)
        tag = self._tag(self._births)
        if tag in self._before:  # a proposal that never became a trial: the driver was killed too early
            self._tell(self._before.pop(tag), "FAIL")
        trial = study.ask() if self.given is None else self._asked(tag)
        config = self.walk.drawn(trial, rng_at(seed, 1))
        token = trial._trial_id  # noqa: SLF001 (what all methods of a storage take; Trial tells it in no other way)
        self._births += 1
        if self.given is None:
            self._rounded(token, trial.params, config)
        return Suggestion(config, token)

    def _asked(self, tag: str) -> optuna.Trial:
        """Return a new trial that has its tag from the first: a driver may be killed at any moment."""
        import optuna

        waiting, running = optuna.trial.TrialState.WAITING, optuna.trial.TrialState.RUNNING
        if self._storage.get_all_trials(self._id, deepcopy=False, states=(waiting,)):  # enqueued by the user
            trial: optuna.Trial = self._study.ask()
            self._storage.set_trial_user_attr(trial._trial_id, TAG, tag)  # noqa: SLF001 (as above)
            return trial
        self._study._thread_local.cached_all_trials = None  # noqa: SLF001 (as Study.ask does)
        return optuna.Trial(self._study, self._add(state=running, user_attrs={TAG: tag}))

    def insert(self, config: Config) -> Any:
        """Take in a config that others chose; None if Optuna cannot say it, or knows already what became of it."""
        import optuna

        self._opened()
        tag, self._births = self._tag(self._births), self._births + 1
        found = self.walk.params(config)
        if found is None:
            return None
        if tag in self._before:
            token = self._before.pop(tag)
            trial = self._storage.get_trial(token)
            if trial.params.keys() == found[0].keys():
                return None if trial.state.is_finished() else token
        attributes = {TAG: tag} if self.given is not None else {}
        running = optuna.trial.TrialState.RUNNING
        return self._add(state=running, params=found[0], distributions=found[1], user_attrs=attributes)

    def withdraw(self, token: Any) -> None:
        """Forget a proposal: Optuna cannot, so it failed."""
        self._births -= 1
        self._tell(token, "FAIL")

    def hear(self, token: Any, step: int, scores: tuple[Score, ...]) -> None:
        """Hear of a result on the way."""
        if len(self.goals) == 1:
            self._storage.set_trial_intermediate_value(token, step, self.goals[0].value(scores[0]))

    def settle(self, token: Any, scores: tuple[Score, ...] | None, *, stopped: bool) -> None:
        """Hear of a trial's end."""
        if scores is None:
            self._tell(token, "FAIL")
        elif stopped and len(self.goals) == 1:
            self._tell(token, "PRUNED")
        else:
            self._tell(token, "COMPLETE", self._values(scores))

    # -- the study -----------------------------------------------------------------------------------------------------
    def _opened(self) -> Any:
        """Return the study; it is made when first used: nothing is written for an experiment that is refused."""
        import optuna

        if self._study is None:
            self._storage = optuna.storages.get_storage(self.given)
            directions: Any = ["minimize" if goal.mode == "min" else "maximize" for goal in self.goals]
            self._study = quietly(
                lambda: optuna.create_study(
                    storage=self._storage,
                    sampler=self.sampler,
                    pruner=optuna.pruners.NopPruner(),
                    study_name=self.name,
                    directions=directions,
                    load_if_exists=True,
                )
            )
            self._id = self._storage.get_study_id_from_name(self.name)
            if self.given is not None:
                for trial in self._storage.get_all_trials(self._id, deepcopy=False):
                    if str(trial.user_attrs.get(TAG, "")).startswith(f"{self.seed}/"):
                        self._before[trial.user_attrs[TAG]] = trial._trial_id  # noqa: SLF001 (as above)
            for number, known in enumerate(self.known):
                self._tell_known(number, known)
        return self._study

    def _tell_known(self, number: int, known: Known) -> None:
        from optuna.trial import TrialState

        found, tag = self.walk.params(known.config), self._tag(-1 - number)
        if found is None or self._before.pop(tag, None) is not None:
            return
        what: dict[str, Any] = {"state": TrialState.FAIL}
        if known.scores is not None:
            values = self._values(known.scores)
            what = {"state": TrialState.COMPLETE, "values": values}
            if known.rung is not None and len(values) == 1:  # as one that is stopped while Optuna looks on
                what = {"state": TrialState.PRUNED, "intermediate_values": {int(known.rung): values[0]}}
        attributes = {TAG: tag} if self.given is not None else {}
        self._add(**what, params=found[0], distributions=found[1], user_attrs=attributes)

    def _add(self, **trial: Any) -> Any:
        import optuna

        return self._storage.create_new_trial(self._id, optuna.trial.create_trial(**trial))

    def _tell(self, token: Any, state: str, values: list[float] | None = None) -> None:
        import optuna

        number = self._storage.get_trial_number_from_id(token)
        try:
            self._study.tell(number, values, state=optuna.trial.TrialState[state], skip_if_finished=True)
        except RuntimeError:  # a sampler for grids has come to its end: study.stop() is for study.optimize() only
            if not self._storage.get_trial(token).state.is_finished():
                raise
            self._over = True

    def _values(self, scores: tuple[Score, ...]) -> list[float]:
        return [goal.value(score) for goal, score in zip(self.goals, scores, strict=True)]

    def _rounded(self, token: Any, params: dict[str, Any], config: Config) -> None:
        """Correct what our space rounds differently: Optuna is to know the config as a replay would tell it."""
        found = self.walk.params(config)
        for name, value in ({} if found is None else found[0]).items():
            if value != params[name] and found is not None:
                distribution = found[1][name]
                self._storage.set_trial_param(token, name, distribution.to_internal_repr(value), distribution)

    def _tag(self, number: int) -> str:
        return f"{self.seed}/{number}"


def tpe() -> optuna.samplers.TPESampler:
    """Return Optuna's default sampler, which takes running trials for bad ones (a constant liar)."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # before Optuna 5 the liar was an experiment
        return optuna.samplers.TPESampler(constant_liar=True)


def reseed(sampler: Any, seed: int) -> None:
    """Have all generators in *sampler*, and in the samplers that it holds, start at *seed*."""
    for place, generator in enumerate(_generators(sampler, set())):
        own = rng_at(seed, 2, place).seed32()
        if hasattr(generator, "seed"):  # numpy.random.RandomState
            generator.seed(own)
        else:  # numpy.random.Generator
            generator.bit_generator.state = type(generator.bit_generator)(own).state


def _generators(holder: Any, seen: set[int]) -> Iterator[Any]:
    import numpy as np

    if id(holder) in seen:
        return
    seen.add(id(holder))
    for value in list(vars(holder).values()):
        inner = getattr(value, "rng", value)
        if isinstance(inner, (np.random.RandomState, np.random.Generator)):
            yield inner
        elif hasattr(value, "reseed_rng"):
            yield from _generators(value, seen)
