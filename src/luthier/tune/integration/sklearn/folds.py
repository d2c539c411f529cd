"""A trial of a search with cross-validation: one candidate, over all folds."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any

from luthier.worker.session import report

if TYPE_CHECKING:
    from collections.abc import Sequence

MEAN = "mean_test_{}"  # metric by which schedulers and searchers go


def cross_validated(config: dict[str, Any], work: Work) -> None:
    """Report how the candidate *config* does, once; or after each round, where *work* has several."""
    if work.rounds is None:
        report(work.whole(config))
        return
    for scores in work.by_rounds(config):
        report(scores)


class Work:
    """What all candidates of a search have in common.

    Args:
        estimator: scikit-learn's, cloned for each fold.
        x: features, (samples, features) or whatever the estimator takes.
        y: targets, (samples,) or (samples, outputs); None without.
        splits: indices of training and test samples, a pair for each fold.
        scorers: name to scorer.
        rounds: passes over the training samples by ``partial_fit``; None for one ``fit``.
        train_scores: whether there are scores of the training samples too.
        error_score: score of a fold whose fit fails; ``"raise"`` for none.
        fit_params: to ``fit`` or ``partial_fit``; arrays of one entry per sample are split like *x*.
    """

    def __init__(
        self,
        estimator: Any,
        x: Any,
        y: Any,
        splits: Sequence[tuple[Any, Any]],
        scorers: dict[str, Any],
        *,
        rounds: int | None,
        train_scores: bool,
        error_score: float | str,
        fit_params: dict[str, Any],
    ) -> None:
        self.estimator, self.x, self.y, self.splits, self.scorers = estimator, x, y, splits, scorers
        self.rounds, self.train_scores, self.error_score = rounds, train_scores, error_score
        self.fit_params = fit_params

    def candidate(self, config: dict[str, Any]) -> Any:
        """Return an estimator with the parameters *config*."""
        from sklearn.base import clone

        return clone(self.estimator).set_params(**{name: clone(value, safe=False) for name, value in config.items()})

    def whole(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return the scores of all folds, each fitted once."""
        from sklearn.model_selection import cross_validate

        found = cross_validate(
            self.candidate(config),
            self.x,
            self.y,
            cv=self.splits,
            scoring=self.scorers,
            return_train_score=self.train_scores,
            error_score=self.error_score,
            params=self.fit_params or None,
        )
        return named({name: list(map(float, values)) for name, values in found.items()})

    def by_rounds(self, config: dict[str, Any]) -> Any:
        """Yield the scores of all folds after each round of ``partial_fit``."""
        folds = [Fold(self, self.candidate(config), train, test) for train, test in self.splits]
        for _ in range(self.rounds or 1):
            found: dict[str, list[float]] = {}
            for fold in folds:
                for name, value in fold.round().items():
                    found.setdefault(name, []).append(value)
            failures = [fold.failure for fold in folds if fold.failure is not None]
            if len(failures) == len(folds):
                raise failures[0]
            yield named(found)


class Fold:
    """One fold whose model learns in rounds.

    What stands before the last step of a pipeline is fitted once, in the first round.
    """

    def __init__(self, work: Work, model: Any, train: Any, test: Any) -> None:
        from sklearn.utils import _safe_indexing

        self.work, self.model = work, model
        self.x, self.seen = _safe_indexing(work.x, train), _safe_indexing(work.x, test)
        self.y = None if work.y is None else _safe_indexing(work.y, train)
        self.answers = None if work.y is None else _safe_indexing(work.y, test)
        self.fit_params = split(work.fit_params, work.x, train)
        self.fit_s = 0.0
        self._learner: Learner | None = None
        self.failure: Exception | None = None

    def round(self) -> dict[str, float]:
        """Learn once more, and return times and scores."""
        began = time.perf_counter()
        try:
            if self._learner is None:
                self._learner = Learner(self.model, self.x, self.y, self.work.y, self.fit_params)
            if self.failure is None:
                self._learner.learn()
        except Exception as error:
            if self.work.error_score == "raise":
                raise
            self.failure = error
            warnings.warn(f"a fold failed, its score is {self.work.error_score}: {error!r}", stacklevel=2)
        self.fit_s += time.perf_counter() - began
        began = time.perf_counter()
        found = {
            f"test_{name}": self._score(scorer, self.seen, self.answers) for name, scorer in self.work.scorers.items()
        }
        found["score_time"] = time.perf_counter() - began
        found["fit_time"] = self.fit_s
        if self.work.train_scores:
            for name, scorer in self.work.scorers.items():
                found[f"train_{name}"] = self._score(scorer, self.x, self.y)
        return found

    def _score(self, scorer: Any, x: Any, y: Any) -> float:
        if self.failure is not None:
            return float(self.work.error_score)
        try:
            return float(scorer(self.model, x) if y is None else scorer(self.model, x, y))
        except Exception as error:
            if self.work.error_score == "raise":
                raise
            warnings.warn(f"scoring failed, the score is {self.work.error_score}: {error!r}", stacklevel=2)
            return float(self.work.error_score)


class Learner:
    """Teaches *model* in passes over *x* by ``partial_fit``.

    Args:
        model: an estimator, or a pipeline whose last step has ``partial_fit``.
        x: features.
        y: targets, None without.
        known: all targets that there are, those of other folds included: classifiers are told the classes at first.
        fit_params: to ``partial_fit``; of a pipeline to that of its last step, ``step__name`` as in scikit-learn.
    """

    def __init__(self, model: Any, x: Any, y: Any, known: Any, fit_params: dict[str, Any]) -> None:
        from sklearn.base import is_classifier
        from sklearn.pipeline import Pipeline

        self.y, self.fit_params = y, dict(fit_params)
        self.last = model
        if isinstance(model, Pipeline):
            name, self.last = model.steps[-1]
            self.fit_params = {given.removeprefix(f"{name}__"): value for given, value in self.fit_params.items()}
            x = model[:-1].fit_transform(x, y) if len(model.steps) > 1 else x
        self.x = x
        if known is not None and is_classifier(model):
            import numpy as np

            self.fit_params["classes"] = np.unique(known)

    def learn(self) -> None:
        """Pass over all samples once."""
        if self.y is None:
            self.last.partial_fit(self.x, **self.fit_params)
        else:
            self.last.partial_fit(self.x, self.y, **self.fit_params)
        self.fit_params.pop("classes", None)  # told once


def split(fit_params: dict[str, Any], x: Any, rows: Any) -> dict[str, Any]:
    """Return *fit_params* for the samples *rows* of *x*: what has an entry for each sample is split, the rest is kept.

    >>> split({"sample_weight": [1.0, 2.0, 3.0], "shuffle": True}, [[0], [1], [2]], [0, 2])
    {'sample_weight': [1.0, 3.0], 'shuffle': True}
    """
    from sklearn.utils.validation import _check_method_params

    return dict(_check_method_params(x, fit_params, indices=rows))


def has_partial_fit(estimator: Any) -> bool:
    """Return whether *estimator*, or the last step of the pipeline that it is, learns in rounds."""
    from sklearn.pipeline import Pipeline

    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    return hasattr(last, "partial_fit")


def named(found: dict[str, list[float]]) -> dict[str, Any]:
    """Return what is reported of the folds' values: each, and the mean of the test scores.

    >>> named({"test_score": [0.5, 1.0], "fit_time": [1.0, 3.0]})["mean_test_score"]
    0.75
    """
    means = {f"mean_{name}": sum(v) / len(v) for name, v in found.items() if name.startswith("test_")}
    return {**means, "folds": found}
