"""HyperOpt's tree-structured Parzen estimator as a searcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.rng import rng_at
from luthier.search.hyperopt_space import ROOT, Knobs
from luthier.search.study import Suggestion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.goal import Score
    from luthier.core.space import Space
    from luthier.core.terms import Config
    from luthier.search.known import Known


class HyperOptStudy:
    """Trials of HyperOpt's, and ``tpe.suggest`` over them.

    Running trials and failed ones have no loss there, which HyperOpt takes for an infinite one.  It knows no stopped
    trials: their last loss counts.

    Args:
        space: what is searched.
        known: what was evaluated elsewhere.
        startup: proposals drawn at random before there is a model.
        gamma: how many trials count as good ones: ``ceil(gamma * sqrt(number of trials))``, 25 at most.
        root: whether the space is one expression: configs are what lies under :data:`ROOT`.

    Source: Bergstra et al., "Algorithms for hyper-parameter optimization", NeurIPS 2011, section 4.
    """

    retraced = False

    def __init__(
        self,
        space: Space,
        known: Sequence[Known] = (),
        startup: int = 20,
        gamma: float = 0.25,
        *,
        root: bool = False,
    ) -> None:
        import hyperopt

        self.knobs, self.startup, self.gamma, self.root = Knobs(space), startup, gamma, root
        expression = self.knobs.expression() or {"constant": 0}  # HyperOpt needs something to look at
        self.domain = hyperopt.Domain(None, expression, pass_expr_memo_ctrl=False)
        self.trials = hyperopt.Trials()
        for config, scores, rung in known:
            token = self.insert(config)
            if token is not None:
                self.settle(token, scores, stopped=rung is not None)

    def propose(self, seed: int) -> Suggestion:
        """Return a new point, and the document that HyperOpt keeps of it."""
        import numpy as np
        from hyperopt import tpe

        ids = self.trials.new_trial_ids(1)
        with np.errstate(all="ignore"):  # a density of 0 has no logarithm
            (document,) = tpe.suggest(
                ids, self.domain, self.trials, seed, n_startup_jobs=self.startup, gamma=self.gamma, verbose=False
            )
        values = {label: found[0] for label, found in document["misc"]["vals"].items() if len(found)}
        config = self.knobs.config(values, rng_at(seed, 1))
        config = config[ROOT] if self.root else config
        return Suggestion(config, self.insert(config))

    def insert(self, config: Config) -> Any:
        """Take in a config that others chose; None if HyperOpt cannot say it."""
        from hyperopt.base import JOB_STATE_RUNNING

        values = self.knobs.values({ROOT: config} if self.root else config)
        if values is None:
            return None
        (tid,) = self.trials.new_trial_ids(1)
        misc = {"tid": tid, "cmd": self.domain.cmd, "workdir": None}
        misc["idxs"] = {label: [tid] if label in values else [] for label in self.domain.params}
        misc["vals"] = {label: [values[label]] if label in values else [] for label in self.domain.params}
        (document,) = self.trials.new_trial_docs([tid], [None], [self.domain.new_result()], [misc])
        document["state"] = JOB_STATE_RUNNING
        self.trials.insert_trial_doc(document)
        self.trials.refresh()
        return self.trials.trials[-1]

    def withdraw(self, token: Any) -> None:
        """Forget a proposal."""
        from hyperopt.base import JOB_STATE_CANCEL

        token["state"] = JOB_STATE_CANCEL
        self.trials.refresh()

    def hear(self, token: Any, step: int, scores: tuple[Score, ...]) -> None:
        """Hear of a result on the way, which HyperOpt has no place for."""

    def settle(self, token: Any, scores: tuple[Score, ...] | None, *, stopped: bool) -> None:
        """Hear of a trial's end."""
        from hyperopt.base import JOB_STATE_DONE, STATUS_FAIL, STATUS_OK

        token["state"] = JOB_STATE_DONE
        token["result"] = {"status": STATUS_FAIL} if scores is None else {"status": STATUS_OK, "loss": scores[0]}
