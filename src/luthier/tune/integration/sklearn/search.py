"""Searches for hyperparameters with scikit-learn's interface."""

from __future__ import annotations

import os
from numbers import Integral
from typing import TYPE_CHECKING, Any

from numpy.random import RandomState
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils import get_tags, indexable

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.goal import number
from luthier.tune.configs import RunConfig, TuneConfig, default_executor
from luthier.tune.integration.sklearn.acting import ActsAsBest
from luthier.tune.integration.sklearn.cv_results import cv_results
from luthier.tune.integration.sklearn.folds import MEAN, Learner, Work, cross_validated, has_partial_fit
from luthier.tune.integration.sklearn.parameters import grid_of, space_of
from luthier.tune.integration.sklearn.stopping import scheduler_of
from luthier.tune.past import Past
from luthier.tune.result_grid import ResultGrid
from luthier.tune.searching import SEARCH_ALGS
from luthier.tune.tuner import Tuner
from luthier.worker.parameters import with_parameters

if TYPE_CHECKING:
    from typing import Self

_ANY = {"random": None, "bayesian": "gp"}  # names of tune-sklearn's


class _SearchCV(ActsAsBest):
    """What both searches have in common; see :class:`TuneSearchCV`."""

    _given = "param_distributions"  # the argument that has the space

    def _space(self) -> dict[str, Any]:
        raise NotImplementedError

    def _tuning(self) -> dict[str, Any]:
        """Return the arguments of ``TuneConfig`` that are this search's own."""
        raise NotImplementedError

    # -- fitting -------------------------------------------------------------------------------------------------------
    def fit(self, X: Any, y: Any = None, *, groups: Any = None, **fit_params: Any) -> Self:  # noqa: N803 (scikit-learn's)
        """Search, and fit the best on all samples.

        Args:
            X: features, (samples, features).
            y: targets, (samples,) or (samples, outputs); None without.
            groups: of samples that stay together, for splitters that want them.
            fit_params: to the estimator's ``fit`` (``partial_fit`` with early stopping).

        Raises:
            BadArgument: an argument of the search cannot be used.
            Exception: what the estimator raised, with ``error_score="raise"``, or where every candidate failed.
        """
        if y is None and get_tags(self.estimator).target_tags.required:
            raise ValueError(f"{type(self.estimator).__name__} requires y to be passed, but the target y is None")
        X, y = indexable(X, y)  # noqa: N806
        if self.error_score != "raise" and number(self.error_score) is None:
            raise BadArgument("error_score", self.error_score, "'raise' or a number, such as nan")
        space, scorers, judged = self._space(), self._scorers(), self._judged()
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(splitter.split(X, y, groups))
        scheduler, rounds = self._stopping()
        work = Work(
            clone(self.estimator), X, y, splits, scorers,
            rounds=rounds, train_scores=self.return_train_score, error_score=self.error_score, fit_params=fit_params,
        )  # fmt: skip
        work.candidate({})  # it can be cloned
        unknown = sorted(space.keys() - self.estimator.get_params().keys())
        if unknown:
            raise BadArgument(
                self._given, unknown, f"parameters of the estimator: {sorted(self.estimator.get_params())}"
            )
        self.n_splits_, self.scorer_ = len(splits), scorers if self._several() else scorers["score"]
        self.multimetric_ = self._several()
        found = self._searched(work, space, scheduler, MEAN.format(judged or next(iter(scorers))))
        self.experiment_path_ = found.experiment_path
        self._conclude(found, work, judged)
        return self

    @property
    def result_grid_(self) -> ResultGrid:
        """The experiment's results, as ``Tuner.fit`` returns them; read from ``experiment_path_``."""
        past = Past(self.experiment_path_)
        return ResultGrid(past.directory, past.experiment, past.history)

    def _searched(self, work: Work, space: dict[str, Any], scheduler: Any, metric: str) -> ResultGrid:
        tuning = TuneConfig(
            metric=metric, mode="max", scheduler=scheduler, max_concurrent_trials=_processes(self.n_jobs),
            time_budget_s=self.time_budget_s, **self._tuning(),
        )  # fmt: skip
        run = RunConfig(
            name=self.name,
            storage_path=self.storage_path,
            verbose=self.verbose,
            executor=self.executor or default_executor(),
        )
        trainable = with_parameters(cross_validated, work=work)
        return Tuner(trainable, param_space=space, tune_config=tuning, run_config=run).fit()

    def _conclude(self, found: ResultGrid, work: Work, judged: str | None) -> None:
        """Set what a fitted search has."""
        import numpy as np

        errors = [result.error for result in found if result.error is not None]
        whole = [result for result in found if result.metrics and "folds" in result.metrics]
        if errors and (self.error_score == "raise" or not whole):
            raise errors[0]
        if not whole:
            raise BadArgument("time_budget_s", self.time_budget_s, "more time", "no candidate was evaluated")
        lacking = {
            name: [float("nan" if name.endswith("_time") else self.error_score)] * self.n_splits_
            for name in whole[0].metrics["folds"]
        }
        folds = [(result.metrics or {}).get("folds", lacking) for result in found]
        candidates = [dict(result.config) for result in found]
        self.cv_results_ = cv_results(candidates, folds)
        rounds = [int((result.metrics or {}).get("training_iteration", 0)) for result in found]
        if work.rounds is not None:
            self.cv_results_["training_iteration"] = np.array(rounds)
        if callable(self.refit):
            self.best_index_ = self._own_choice(self.refit(self.cv_results_), len(found))
        elif judged is None:
            return
        else:
            self.best_index_ = int(np.argmin(self.cv_results_[f"rank_test_{judged}"]))
            self.best_score_ = float(self.cv_results_[MEAN.format(judged)][self.best_index_])
        self.best_params_ = candidates[self.best_index_]
        if self.refit:
            self._refitted(work, rounds[self.best_index_])

    def _own_choice(self, index: Any, count: int) -> int:
        found = _whole(index)
        if found is None or not 0 <= found < count:
            wanted = f"a function that returns a number below {count}"
            raise BadArgument("refit", self.refit, wanted, f"it returns {index!r}")
        return found

    def _refitted(self, work: Work, rounds: int) -> None:
        import time

        began = time.perf_counter()
        best = work.candidate(self.best_params_)
        if work.rounds is not None:
            learner = Learner(best, work.x, work.y, work.y, work.fit_params)
            for _ in range(rounds):
                learner.learn()
        elif work.y is None:
            best.fit(work.x, **work.fit_params)
        else:
            best.fit(work.x, work.y, **work.fit_params)
        self.best_estimator_, self.refit_time_ = best, time.perf_counter() - began
        if hasattr(best, "feature_names_in_"):
            self.feature_names_in_ = best.feature_names_in_

    # -- arguments -----------------------------------------------------------------------------------------------------
    def _several(self) -> bool:
        return isinstance(self.scoring, list | tuple | set | dict)

    def _scorers(self) -> dict[str, Any]:
        if not self._several():
            return {"score": check_scoring(self.estimator, self.scoring)}
        if not self.scoring:
            raise BadArgument("scoring", self.scoring, "one scorer or more, or None for the estimator's own")
        if isinstance(self.scoring, dict):
            return {
                name: get_scorer(scorer) if isinstance(scorer, str) else scorer for name, scorer in self.scoring.items()
            }
        return {name: get_scorer(name) for name in self.scoring}

    def _judged(self) -> str | None:
        """Return the metric that tells which is best; None where nothing is asked to."""
        if not self._several():
            return "score"
        if isinstance(self.refit, str):
            if self.refit not in self._scorers():
                raise BadArgument("refit", self.refit, f"one of {sorted(self._scorers())}")
            return self.refit
        if self.refit is True:
            raise BadArgument(
                "refit", self.refit, f"the metric that counts, one of {sorted(self._scorers())}, or False"
            )
        return None

    def _stopping(self) -> tuple[Any, int | None]:
        """Return the scheduler, and how many rounds there are; None for both without early stopping."""
        if self.early_stopping is None or self.early_stopping is False:
            return None, None
        if not has_partial_fit(self.estimator):
            raise BadArgument(
                "early_stopping", self.early_stopping, "early_stopping=False",
                f"{type(self.estimator).__name__} has no partial_fit, so it cannot be stopped on the way",
            )  # fmt: skip
        rounds = _whole(self.max_iters)
        if rounds is None or rounds < 2:  # noqa: PLR2004
            raise BadArgument("max_iters", self.max_iters, "two rounds or more, for early stopping to choose from")
        bohb = getattr(self, "search_optimization", None) == "bohb"
        return scheduler_of(self.early_stopping, rounds, bohb=bohb), rounds


class TuneSearchCV(_SearchCV):
    """Searches for the best parameters of an estimator, by cross-validation.

    An estimator itself: it can be cloned, stand in a pipeline or in another search, and predicts as the best one.

    Args:
        estimator: whose parameters are searched for.
        param_distributions: parameter's name to a list of values, a domain such as ``tune.loguniform(1e-4, 1)``,
            a frozen distribution of scipy's (uniform, loguniform, randint), or a range such as
            ``(1e-4, 1, "log-uniform")``.  A tuple of two numbers is a range as well, unless the search is random.
        early_stopping: True for ASHA (with ``search_optimization="bohb"`` for its HyperBand), a scheduler or the name
            of one: the estimator learns in rounds, by ``partial_fit``, and bad candidates end early.  None for whole
            fits.
        n_trials: number of candidates; -1 for as many as *time_budget_s* has room for.
        scoring: as scikit-learn's searches take it: None, a name, a function, or several.
        n_jobs: candidates at a time; None and -1 for as many as there are CPUs.
        cv: number of folds, or a splitter.
        refit: whether the best is fitted on all samples; with several metrics the name of the one that counts; or a
            function from ``cv_results_`` to the index of the best.
        verbose: 0 for no output, as ``RunConfig``.
        random_state: seed of the search, or a ``RandomState`` that one is drawn from.
        error_score: score of a fold that fails; ``"raise"`` to end the search.
        return_train_score: whether there are scores of the training samples too.
        max_iters: rounds, with early stopping.
        search_optimization: a search algorithm or the name of one (``"tpe"``, ``"auto"``, ``"optuna"``, ...).
        time_budget_s: after so many seconds no further candidate begins, and running ones end.
        name: of the experiment.
        storage_path: where it is kept; None for the usual place.
        executor: where trials run, as ``RunConfig``; None for processes of their own.

    Attributes:
        best_params_: parameters of the best.
        best_score_: mean of its scores.
        best_index_: its place in ``cv_results_``.
        best_estimator_: fitted on all samples; with early stopping for as many rounds as the trial had.
        cv_results_: name to array, in scikit-learn's columns; with early stopping also ``training_iteration``.
        experiment_path_: the experiment's directory.

    Raises:
        BadArgument: from ``fit``: an argument cannot be used.

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from luthier import tune
    >>> x, y = load_iris(return_X_y=True)
    >>> search = TuneSearchCV(
    ...     LogisticRegression(max_iter=500), {"C": tune.loguniform(1e-3, 1e2)}, n_trials=4, cv=3, executor="inline"
    ... )
    >>> search.fit(x, y).score(x, y) > 0.9
    True
    """

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        early_stopping: Any = None,
        n_trials: int = 10,
        scoring: Any = None,
        n_jobs: int | None = None,
        cv: Any = 5,
        refit: Any = True,
        verbose: int = 0,
        random_state: Any = None,
        error_score: Any = float("nan"),
        return_train_score: bool = False,
        max_iters: int = 10,
        search_optimization: Any = "random",
        time_budget_s: float | None = None,
        name: str | None = None,
        storage_path: Any = None,
        executor: Any = None,
    ) -> None:
        self.estimator, self.param_distributions = estimator, param_distributions
        self.early_stopping, self.max_iters = early_stopping, max_iters
        self.n_trials, self.search_optimization, self.random_state = n_trials, search_optimization, random_state
        self.scoring, self.cv, self.refit, self.error_score = scoring, cv, refit, error_score
        self.return_train_score = return_train_score
        self.n_jobs, self.verbose, self.time_budget_s = n_jobs, verbose, time_budget_s
        self.name, self.storage_path, self.executor = name, storage_path, executor

    def _space(self) -> dict[str, Any]:
        return space_of(self.param_distributions, pairs=self.search_optimization != "random")

    def _tuning(self) -> dict[str, Any]:
        chosen = self.search_optimization
        if isinstance(chosen, str):
            chosen = _ANY.get(chosen, chosen)
            if chosen is not None and chosen.lower() not in SEARCH_ALGS:
                wanted = f"one of {', '.join(sorted({*_ANY, *SEARCH_ALGS}))}"
                raise BadArgument("search_optimization", chosen, wanted)
        return {"num_samples": self._count(), "search_alg": chosen, "seed": self._seed()}

    def _count(self) -> int:
        """Return how many trials there are; -1 for as many as the time budget has room for."""
        found, endless = _whole(self.n_trials), self.time_budget_s is not None and self.n_trials == -1
        if found is None or (found < 1 and not endless):
            raise BadArgument("n_trials", self.n_trials, "a number of candidates, or -1 beside time_budget_s")
        return found

    def _seed(self) -> int | None:
        """Return the seed, one that is drawn where a generator was given, as scikit-learn has it."""
        given = self.random_state
        if isinstance(given, RandomState):
            return int(given.randint(1 << 31))
        if given is not None and _whole(given) is None:
            raise BadArgumentType("random_state", given, "a whole number, a RandomState of numpy's, or None")
        return _whole(given)


class TuneGridSearchCV(_SearchCV):
    """Tries each combination of parameters; otherwise as :class:`TuneSearchCV`.

    Args:
        estimator: whose parameters are searched for.
        param_grid: parameter's name to a list of values.
        early_stopping: as there, and so are the others.

    >>> from sklearn.linear_model import Ridge
    >>> search = TuneGridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2, executor="inline")
    >>> sorted(search.fit([[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 2.0, 3.0]).best_params_)
    ['alpha']
    """

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        early_stopping: Any = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        cv: Any = 5,
        refit: Any = True,
        verbose: int = 0,
        error_score: Any = float("nan"),
        return_train_score: bool = False,
        max_iters: int = 10,
        time_budget_s: float | None = None,
        name: str | None = None,
        storage_path: Any = None,
        executor: Any = None,
    ) -> None:
        self.estimator, self.param_grid = estimator, param_grid
        self.early_stopping, self.max_iters = early_stopping, max_iters
        self.scoring, self.cv, self.refit, self.error_score = scoring, cv, refit, error_score
        self.return_train_score = return_train_score
        self.n_jobs, self.verbose, self.time_budget_s = n_jobs, verbose, time_budget_s
        self.name, self.storage_path, self.executor = name, storage_path, executor

    _given = "param_grid"

    def _space(self) -> dict[str, Any]:
        return grid_of(self.param_grid)

    def _tuning(self) -> dict[str, Any]:
        return {"num_samples": 1}


def _processes(n_jobs: Any) -> int | None:
    """Return how many trials run at once; None for as many as there are CPUs.

    Raises:
        BadArgument: *n_jobs* is 0, or no number.
    """
    if n_jobs is None or n_jobs == -1:
        return None
    found = _whole(n_jobs)
    if not found:
        raise BadArgument("n_jobs", n_jobs, "a number of candidates at a time, or -1 for as many as there are CPUs")
    return found if found > 0 else max(1, (os.cpu_count() or 1) + 1 + found)


def _whole(given: Any) -> int | None:
    """Return *given* as a whole number, one of numpy's too; None where it is none."""
    return int(given) if isinstance(given, Integral) and not isinstance(given, bool) else None
