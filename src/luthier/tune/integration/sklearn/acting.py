"""A search that has been fitted predicts as the best estimator that it found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from collections.abc import Callable

_Method = TypeVar("_Method", bound="Callable[..., Any]")


def _where_it_has(method: str) -> Callable[[_Method], _Method]:
    """Return a decorator: the search has the method where the best estimator, or the one searched for, has *method*."""

    def has(search: Any) -> bool:
        getattr(getattr(search, "best_estimator_", search.estimator), method)
        return True

    decorator: Callable[[_Method], _Method] = available_if(has)
    return decorator


class ActsAsBest(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Passes on to ``best_estimator_``; each method is there where the estimator has it."""

    estimator: Any
    refit: Any
    best_estimator_: Any
    scorer_: Any
    multimetric_: bool

    def _best(self) -> Any:
        if not self.refit:
            raise AttributeError(f"{type(self).__name__}(refit=False) has no best estimator: give refit=True")
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_

    @_where_it_has("predict")
    def predict(self, X: Any) -> Any:  # noqa: N803
        """Return the best estimator's predictions."""
        return self._best().predict(X)

    @_where_it_has("predict_proba")
    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        """Return the best estimator's probabilities, (samples, classes)."""
        return self._best().predict_proba(X)

    @_where_it_has("predict_log_proba")
    def predict_log_proba(self, X: Any) -> Any:  # noqa: N803
        """Return the logarithms of the best estimator's probabilities, (samples, classes)."""
        return self._best().predict_log_proba(X)

    @_where_it_has("decision_function")
    def decision_function(self, X: Any) -> Any:  # noqa: N803
        """Return the best estimator's distances."""
        return self._best().decision_function(X)

    @_where_it_has("score_samples")
    def score_samples(self, X: Any) -> Any:  # noqa: N803
        """Return the best estimator's score of each sample."""
        return self._best().score_samples(X)

    @_where_it_has("transform")
    def transform(self, X: Any) -> Any:  # noqa: N803
        """Return what the best estimator makes of *X*."""
        return self._best().transform(X)

    @_where_it_has("inverse_transform")
    def inverse_transform(self, X: Any) -> Any:  # noqa: N803
        """Return what the best estimator makes *X* of."""
        return self._best().inverse_transform(X)

    def score(self, X: Any, y: Any = None) -> float:  # noqa: N803
        """Return the best estimator's score by the metric that counted."""
        best = self._best()
        scorer = self.scorer_[self.refit] if self.multimetric_ and isinstance(self.refit, str) else self.scorer_
        if isinstance(scorer, dict):
            raise AttributeError(  # noqa: TRY004 (as scikit-learn: there is no such method then)
                "with several metrics and a function for refit there is no single score"
            )
        return float(scorer(best, X) if y is None else scorer(best, X, y))

    @property
    def classes_(self) -> Any:
        """Classes that the best estimator knows."""
        return self._best().classes_

    @property
    def n_features_in_(self) -> int:
        """Features that the best estimator has seen."""
        check_is_fitted(self, "best_estimator_")
        return int(self.best_estimator_.n_features_in_)

    def __sklearn_tags__(self) -> Any:
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type, tags.classifier_tags = inner.estimator_type, inner.classifier_tags
        tags.regressor_tags, tags.transformer_tags = inner.regressor_tags, inner.transformer_tags
        tags.input_tags.pairwise, tags.input_tags.sparse = inner.input_tags.pairwise, inner.input_tags.sparse
        tags.target_tags = inner.target_tags
        tags.array_api_support = False
        return tags
