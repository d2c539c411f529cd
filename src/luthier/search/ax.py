"""Ax (Bayesian optimisation over BoTorch) as a searcher."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.goal import Score
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.search.study import Suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luthier.core.goal import Goal
    from luthier.core.terms import Config
    from luthier.search.ax_parameters import AxParameters
    from luthier.search.known import Known

_DRAWS = 200  # of Sobol's points, before all configs of a finite space are taken to have been tried
_ATTEMPTS = 3  # where a matrix turns out not to be positive definite, as AxClient does


class Deed(NamedTuple):
    """What Ax is to hear of a trial: that it began, or how it ended."""

    token: int
    ended: bool
    scores: tuple[Score, ...] | None = None
    stopped: bool = False


class AxStudy:
    """An experiment of Ax's, and its generation strategy: quasi-random points first, then a model.

    Trials that fail, and those whose metrics are not finite, are told as failed; those that a scheduler stopped as
    stopped early, with their last values.  Running ones are pending.

    The strategy begins anew at each proposal, from the trials and the seed (its place among Sobol's points is the
    number of trials): so a log that is replayed brings it back without a model being fitted for each trial.

    Args:
        parameters: how configs are made.
        goals: what is optimised: Ax is told the metrics' own values and directions.
        measured: metrics besides them that Ax is to hear of: those of outcome constraints.
        seed: the experiment's.
        opened: returns an ``AxClient`` that has an experiment with these parameters and metrics, the same each time.
        known: what was evaluated elsewhere.
        aloud: whether Ax may log as much as it likes.

    Source: Balandat et al., "BoTorch: a framework for efficient Monte-Carlo Bayesian optimization", NeurIPS 2020.
    """

    retraced = False

    def __init__(
        self,
        parameters: AxParameters,
        goals: Sequence[Goal],
        seed: int,
        opened: Callable[[], Any],
        measured: Sequence[Goal] = (),
        known: Sequence[Known] = (),
        *,
        aloud: bool = False,
    ) -> None:
        self.points, self.goals, self.seed = parameters, (*goals, *measured), seed
        self.opened, self.aloud = opened, aloud
        self.values: dict[int, dict[str, Any]] = {}  # where each trial is, by token
        self._deeds: list[Deed] = []
        self._done = 0  # how many of them Ax has heard of
        self._births = 0
        self._client: Any = None
        self._pristine: Any = None  # the generation strategy as it was
        self._trials: dict[int, int] = {}  # Ax's numbers, by token
        for config, scores, rung in known:
            token = self.insert(config)
            if token is not None:
                self._deeds.append(Deed(token, ended=True, scores=scores, stopped=rung is not None))

    def propose(self, seed: int) -> Suggestion | Nothing:
        """Return a new point; NOT_YET while Ax waits for results."""
        values: Mapping[str, Any] | Nothing = {}
        if self.points.parts:
            with Quiet(aloud=self.aloud):
                values = self._generated(seed)
        if isinstance(values, Nothing):
            return values
        config = self.points.config(values, rng_at(seed, 1))
        return Suggestion(config, self.insert(config))

    def insert(self, config: Config) -> Any:
        """Take in a config that others chose; None if Ax cannot say it."""
        values = self.points.values(config)
        if values is None:
            return None
        self._births += 1
        self.values[self._births] = values
        self._deeds.append(Deed(self._births, ended=False))
        return self._births

    def withdraw(self, token: Any) -> None:
        """Forget a proposal; where Ax has heard of it already it begins anew."""
        del self.values[token]
        place = next(i for i, deed in enumerate(self._deeds) if deed.token == token)
        del self._deeds[place]
        if place < self._done:
            self._client, self._done = None, 0

    def hear(self, token: Any, step: int, scores: tuple[Score, ...]) -> None:
        """Hear of a result on the way, which Ax is not told."""

    def settle(self, token: Any, scores: tuple[Score, ...] | None, *, stopped: bool) -> None:
        """Hear of a trial's end."""
        self._deeds.append(Deed(token, ended=True, scores=scores, stopped=stopped))
        if self.points.parts:
            with Quiet(aloud=self.aloud):
                self._told()

    # -- Ax ------------------------------------------------------------------------------------------------------------
    def _generated(self, seed: int) -> Mapping[str, Any] | Nothing:
        experiment = self._told().experiment
        stopping = self._client.global_stopping_strategy
        if stopping is not None and stopping.should_stop_optimization(experiment=experiment)[0]:
            return Nothing.EXHAUSTED
        if self.points.finite and len(set(map(repr, self.values.values()))) >= self.points.size:
            return self._again(seed)  # Sobol's points would be gone through again and again
        for attempt in range(_ATTEMPTS):
            strategy = self._strategy()
            if strategy is None:
                return Nothing.EXHAUSTED
            if strategy.current_node.new_trial_limit() == 0:
                return Nothing.NOT_YET
            self._place(strategy)
            try:
                return self._asked(strategy, seed, attempt)
            except RuntimeError as error:
                if "holesky" not in str(error) or attempt == _ATTEMPTS - 1:
                    raise
        return Nothing.NOT_YET

    def _place(self, strategy: Any) -> None:
        """Have Sobol's points go on where they are."""
        from ax.adapter.registry import Generators

        for node in strategy.nodes_by_name.values():
            for spec in node.generator_specs:
                if spec.generator_enum is Generators.SOBOL:
                    own = spec.generator_kwargs.get("seed")
                    place = {"init_position": len(self._client.experiment.trials)}
                    spec.generator_kwargs |= place | {"seed": self.seed % 2**31 if own is None else own}
                    if self.points.finite:
                        spec.generator_gen_kwargs |= {"model_gen_options": {"max_rs_draws": _DRAWS}}

    def _asked(self, strategy: Any, seed: int, attempt: int) -> Mapping[str, Any] | Nothing:
        from ax.exceptions.core import DataRequiredError, OptimizationComplete, SearchSpaceExhausted
        from ax.exceptions.generation_strategy import MaxParallelismReachedException
        from ax.utils.common.random import with_rng_seed

        try:
            with with_rng_seed(rng_at(seed, 2, attempt).seed32()):
                run = strategy.gen_single_trial(self._client.experiment, n=1)
        except (DataRequiredError, MaxParallelismReachedException):
            return Nothing.NOT_YET
        except SearchSpaceExhausted:
            return self._again(seed)
        except OptimizationComplete:
            return Nothing.EXHAUSTED
        values: Mapping[str, Any] = run.arms[0].parameters
        return values

    def _again(self, seed: int) -> Mapping[str, Any]:
        """Return a config that was not tried, if one is easily found; else one that was: there are no others."""
        tried = list(self.values.values())
        if not self._client.experiment.search_space.parameter_constraints:
            for draw in range(_DRAWS):
                values = self.points.values(self.points.space.sample(rng_at(seed, 3, draw)))
                if values is not None and values not in tried:
                    return values
        return tried[rng_at(seed, 4).below(len(tried))]

    def _strategy(self) -> Any:
        """Return the generation strategy as it stands after the trials; None if it has come to its end."""
        strategy = self._pristine.clone_reset()
        strategy.experiment = self._client.experiment
        return None if strategy.current_generator_run_limit()[1] else strategy

    def _told(self) -> Any:
        """Return the client, which has heard of all deeds."""
        if self._client is None:
            self._client, self._trials = self.opened(), {}
            self._pristine = self._client.generation_strategy.clone_reset()
        for deed in self._deeds[self._done :]:
            if deed.ended:
                self._ended(deed)
            else:
                self._begun(deed.token)
            self._done += 1
        return self._client

    def _begun(self, token: int) -> None:
        from ax.core.arm import Arm
        from ax.core.generator_run import GeneratorRun

        strategy = self._strategy()  # each trial belongs to the node that was there when it began: limits count them
        node = None if strategy is None else strategy.current_node_name
        run = GeneratorRun(arms=[Arm(parameters=dict(self.values[token]))], generation_node_name=node)
        trial = self._client.experiment.new_trial(generator_run=run)
        trial.mark_running(no_runner_required=True)
        self._trials[token] = trial.index

    def _ended(self, deed: Deed) -> None:
        number = self._trials.pop(deed.token)
        if deed.scores is None:
            self._client.log_trial_failure(number)
            return
        pairs = zip(self.goals, deed.scores, strict=True)
        told = {goal.metric: (goal.value(score), None) for goal, score in pairs}  # None: the noise is for Ax to find
        if deed.stopped:
            self._client.get_trial(number).update_trial_data(raw_data=told)
            self._client.stop_trial_early(number)
        else:
            self._client.complete_trial(number, raw_data=told)


class Lent:
    """A user's own client: it hears of the trials of one experiment at a time.

    Args:
        client: an ``AxClient``; what it knows already counts.
    """

    def __init__(self, client: Any) -> None:
        self.client, self._first = client, deepcopy(client.__dict__)

    def opened(self) -> Any:
        """Return the client, as it was at first."""
        self.client.__dict__.clear()
        self.client.__dict__.update(deepcopy(self._first))
        return self.client


class Quiet:
    """Keeps back the warnings of Ax and of what is under it, and its log but for errors; nothing where *aloud*."""

    def __init__(self, *, aloud: bool = False) -> None:
        self.aloud = aloud
        self._warnings = warnings.catch_warnings()
        self._before: list[tuple[Any, int]] = []

    def __enter__(self) -> None:
        if self.aloud:
            return
        from ax.utils.common.logger import ROOT_LOGGER

        self._warnings.__enter__()
        warnings.simplefilter("ignore")  # of pandas, of the linear algebra, of AxClient's age: not the user's to mend
        name = f"{ROOT_LOGGER.name}."
        known = ROOT_LOGGER.manager.loggerDict.items()
        ours: list[Any] = [logger for at, logger in known if at.startswith(name) and hasattr(logger, "setLevel")]
        self._before = [(logger, logger.level) for logger in (ROOT_LOGGER, *ours)]
        for logger, _ in self._before:  # some have a level of their own
            logger.setLevel("ERROR")

    def __exit__(self, *exception: object) -> None:
        if self.aloud:
            return
        for logger, level in self._before:
            logger.setLevel(level)
        self._warnings.__exit__(None, None, None)


def client_of(
    specs: Sequence[Mapping[str, Any]],
    goals: Sequence[Goal],
    arguments: Mapping[str, Any],
    parameter_constraints: Sequence[str] | None,
    outcome_constraints: Sequence[str] | None,
    client: Any = None,
) -> Any:
    """Return a client with a new experiment.

    Args:
        specs: the parameters.
        goals: what is optimised.
        arguments: for ``AxClient``.
        parameter_constraints: such as ``"x + y <= 2"``.
        outcome_constraints: such as ``"size <= 10"``.
        client: the one to create the experiment in; None for a new one.
    """
    from ax.service.ax_client import AxClient
    from ax.service.utils.instantiation import ObjectiveProperties

    found = AxClient(**arguments) if client is None else client
    found.create_experiment(
        parameters=[dict(spec) for spec in specs],
        objectives={goal.metric: ObjectiveProperties(minimize=goal.mode == "min") for goal in goals},
        parameter_constraints=list(parameter_constraints or ()) or None,
        outcome_constraints=list(outcome_constraints or ()) or None,
    )
    return found
