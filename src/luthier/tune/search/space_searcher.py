"""What all our search algorithms and wrapped libraries are: a space, what is known of it, and how to search it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space import Space, fixed
from luthier.search.given import Given
from luthier.search.known import Known
from luthier.tune.goals import goals_of
from luthier.tune.search.chance import seed_of
from luthier.tune.search.direct import Direct
from luthier.tune.search.foreign import foreign, refuse_foreign
from luthier.tune.search.searcher import Searcher, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.events import Ended
    from luthier.core.goal import Goal
    from luthier.core.policy import Scheduler
    from luthier.core.policy import Searcher as Policy
    from luthier.tune.configs import TuneConfig


def only_goal(goals: tuple[Goal, ...], searcher: str) -> None:
    """Refuse several *goals* for a *searcher* (its name) that knows one.

    Raises:
        BadArgument: there are several.
    """
    if len(goals) > 1:
        metrics = [goal.metric for goal in goals]
        others = "TPESearch, EvolutionSearch, AutoSearch, OptunaSearch and AxSearch"
        wanted = f"one metric: {searcher} knows no more; {others} do"
        raise BadArgument("metric", metrics, wanted)


class SpaceSearcher(Searcher):
    """A search algorithm over a space; inherit, and write :meth:`policy`.

    Given to a Tuner it describes the search: each experiment gets a policy of its own.  Its methods ``suggest``,
    ``on_trial_result``, ``on_trial_complete``, ``save`` and ``restore`` work without a Tuner, too.

    Args:
        space: what to search; the Tuner's ``param_space`` where None.
        metric: what is optimised, or a list of such; the Tuner's where None.
        mode: ``"min"`` or ``"max"``, or a list with one for each metric.
        points_to_evaluate: configs, or parts of such, to be tried first; what a point leaves open is drawn.
        evaluated_rewards: values of *points_to_evaluate*, in their order, where they are known: these points are not
            tried again.  With several metrics each is a list.
        seed: where chance starts: an int, a numpy generator, or None for the Tuner's.

    Raises:
        BadArgument: for an argument that cannot be used.
    """

    def __init__(
        self,
        space: Mapping[str, Any] | None = None,
        metric: str | Sequence[str] | None = None,
        mode: str | Sequence[str] | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        evaluated_rewards: Sequence[Any] | None = None,
        seed: object = None,
    ) -> None:
        super().__init__(metric, mode)
        points = [] if points_to_evaluate is None else points_to_evaluate
        if not isinstance(points, (list, tuple)) or not all(isinstance(point, dict) for point in points):
            raise BadArgumentType("points_to_evaluate", points_to_evaluate, "a list of dicts")
        self.points_to_evaluate: list[dict[str, Any]] = [dict(point) for point in points]
        self.known: list[tuple[dict[str, Any], tuple[float, ...] | None, float | None]] = []
        if evaluated_rewards is not None:
            if not isinstance(evaluated_rewards, (list, tuple)) or len(evaluated_rewards) != len(points):
                wanted = f"a list with one value for each of the {len(points)} points_to_evaluate"
                raise BadArgument("evaluated_rewards", evaluated_rewards, wanted)
            pairs = zip(self.points_to_evaluate, evaluated_rewards, strict=True)
            self.known = [(point, value_of(value), None) for point, value in pairs]
            self.points_to_evaluate = []
        self.earlier: list[tuple[dict[str, Any], tuple[float, ...] | None, float | None]] = []
        self.seed = seed_of(seed)
        self.space = None if space is None else self.converted(space)
        if self.space is not None:
            refuse_foreign(self.space.description, type(self).__name__)
        self._direct: Direct | None = None
        self.ending: Ended | None = None  # how the trial ended that on_trial_complete is about; else it just ended

    # -- what those who inherit say ------------------------------------------------------------------------------------
    def policy(self, space: Space, goals: tuple[Goal, ...], known: Sequence[Known], seed: int) -> Policy:
        """Return a new policy that searches *space*.

        Args:
            space: what to search.
            goals: what is optimised, one or more.
            known: what was evaluated elsewhere.
            seed: the experiment's; only for libraries that must be asked again when a log is replayed.
        """
        raise NotImplementedError

    def expect(self, num_samples: int) -> None:
        """Hear how many trials an experiment will have before :meth:`build`; -1 for any number."""

    def converted(self, space: Mapping[str, Any]) -> Space:
        """Return *space*, in whatever form users may give it, as a space of ours."""
        return space if isinstance(space, Space) else Space(dict(space))

    # -- what a Tuner asks ---------------------------------------------------------------------------------------------
    def read(self, param_space: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a Tuner's *param_space* with our domains in place of those of other libraries."""
        return self.converted(param_space).description if any(foreign(param_space)) else param_space

    def build(self, space: Space | None, goals: tuple[Goal, ...], seed: int = 0) -> Policy:
        """Return a new policy for an experiment.

        Args:
            space: the Tuner's, which must be empty of domains where this search algorithm has a space of its own.
            goals: the Tuner's.
            seed: the experiment's.

        Raises:
            BadArgument: there are two spaces or none, two metrics or none, or a point does not fit the space.
        """
        own = self.own_space(space)
        goals = self.own_goals(goals)
        known = [self._known(own, goals, *told) for told in self.known] + self._fitting(own, goals)
        found = self.policy(own, goals, known, seed)
        points = enumerate(self.points_to_evaluate)
        first = [self.point(own, point, f"points_to_evaluate[{i}]") for i, point in points]
        return Given(first, own, found) if first else found

    def point(self, space: Space, point: dict[str, Any], argument: str) -> Any:
        """Return *point*, to be tried first, with what completes it: something with ``sample(rng)``.

        Raises:
            BadArgument: it names what *space* does not have; the text calls it *argument*.
        """
        return fixed(space, point, argument)

    def checked(self, space: Space, point: dict[str, Any]) -> None:
        """Complain of *point*, whose value is known, if it is no config of *space*.

        Raises:
            BadArgument: it names what *space* does not have, or leaves something open.
        """
        fixed(space, point, "points_to_evaluate")
        try:
            space.encode(point)
        except BadArgument as error:
            wanted = "a value of each axis: it was evaluated"
            raise BadArgument("points_to_evaluate", point, wanted, error.why) from error

    def review(self, tuning: TuneConfig, scheduler: Scheduler) -> None:
        """Look at what this search algorithm is to be used with, before any trial; it is a copy that does.

        Args:
            tuning: what else the Tuner was told.
            scheduler: who judges the trials.

        Raises:
            BadArgument: the two do not go together.
        """

    def begin(self, space: Space | None, goals: tuple[Goal, ...], seed: int) -> None:
        """Begin to search *space* without a Tuner."""
        own, seed = self.own_goals(goals), seed if self.seed is None else self.seed
        self._direct = Direct(self.build(space, own, seed), own, seed)

    def own_space(self, given: Space | None) -> Space:
        """Return the space to search: its own, else the Tuner's."""
        name = type(self).__name__
        if self.space is None:
            if given is None:
                raise BadArgument("space", None, f"a space, in {name} or as the Tuner's param_space")
            return given
        if given is not None and given.axes:
            wanted = f"the space in one of the two places: {name}(space=...) has one already"
            raise BadArgument("param_space", given.description, wanted)
        return self.space if given is None else Space({**given.description, **self.space.description})

    def own_goals(self, given: tuple[Goal, ...]) -> tuple[Goal, ...]:
        """Return what is optimised: its own words, else the Tuner's."""
        own = goals_of(self._metric, self._mode)
        if own and given and own != given:
            wanted = "metric and mode in one of the two places, or the same in both"
            raise BadArgument(f"{type(self).__name__}.metric", self._metric, wanted)
        if not own and not given:
            raise BadArgument("metric", None, f"metric and mode, in TuneConfig or in {type(self).__name__}")
        return own or given

    def _fitting(self, space: Space, goals: tuple[Goal, ...]) -> list[Known]:
        """Return those trials of earlier experiments that *space* can say."""
        found = []
        for config, values, rung in self.earlier:
            try:
                space.encode(config)
            except BadArgument:
                continue
            found.append(self._scored(goals, config, values, rung))
        if self.earlier and not found:
            raise BadArgument("trials_or_analysis", self.earlier[0][0], "trials whose configs are of this space")
        return found

    def _known(
        self,
        space: Space,
        goals: tuple[Goal, ...],
        config: dict[str, Any],
        values: tuple[float, ...] | None,
        rung: float | None = None,
    ) -> Known:
        self.checked(space, config)
        return self._scored(goals, config, values, rung)

    @staticmethod
    def _scored(
        goals: tuple[Goal, ...], config: dict[str, Any], values: tuple[float, ...] | None, rung: float | None
    ) -> Known:
        if values is None:
            return Known(config, None)
        if len(values) != len(goals):
            wanted = f"one value for each of the {len(goals)} metrics, {', '.join(goal.metric for goal in goals)}"
            raise BadArgument("evaluated_rewards", values, wanted)
        pairs = zip(goals, values, strict=True)
        return Known(config, tuple(-value if goal.mode == "max" else value for goal, value in pairs), rung)

    # -- without a Tuner -----------------------------------------------------------------------------------------------
    def set_search_properties(
        self,
        metric: str | Sequence[str] | None,
        mode: str | Sequence[str] | None,
        config: Mapping[str, Any],
        **_spec: Any,
    ) -> bool:
        """Take over what is not said yet; return whether anything was new."""
        if self.space is not None and config:
            return False
        if config:
            self.space = self.converted(config)
        super().set_search_properties(metric, mode, config)
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the config of a new trial; None for "not now", :attr:`FINISHED` for "never again"."""
        return self._started().suggest(trial_id)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Hear of a result on the way."""
        self._started().result(trial_id, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Hear of a trial's end."""
        ending, self.ending = self.ending, None
        self._started().complete(trial_id, result, error, ending)

    def add_evaluated_point(
        self,
        parameters: dict[str, Any],
        value: Any,
        error: bool = False,
        pruned: bool = False,
        intermediate_values: list[float] | None = None,
    ) -> None:
        """Learn of a config that was evaluated elsewhere.

        Args:
            parameters: the config.
            value: its value, or a list with one for each metric.
            error: whether it failed; *value* does not count then.
            pruned: whether it was stopped early: it is taken for failed, since *value* is not comparable.
            intermediate_values: not used.

        Raises:
            RuntimeError: the search has begun; what is known must be told before.
        """
        if self._direct is not None:
            raise RuntimeError("add_evaluated_point comes too late: this search has begun. Tell it before.")
        self.known.append((dict(parameters), None if error or pruned else value_of(value), None))

    def add_evaluated_trials(self, trials_or_analysis: Any, metric: str | Sequence[str]) -> None:
        """Learn of the trials of an earlier experiment; those whose configs are not of this space are passed over.

        Failed ones are learnt of as failures, stopped ones go after those that came further.

        Args:
            trials_or_analysis: an experiment's directory (or URL), a ResultGrid, an ExperimentAnalysis, a trial or a
                list of trials or results, or a DataFrame with columns ``config/...`` and one for *metric*.
            metric: whose values count; a list where several are optimised, in the same order.

        Raises:
            BadArgument: it is none of these, or no trial has *metric*.
            RuntimeError: the search has begun; what is known must be told before.
        """
        if self._direct is not None:
            raise RuntimeError("add_evaluated_trials comes too late: this search has begun. Tell it before.")
        from luthier.tune.search.earlier import evaluated

        for config, values, rung in evaluated(trials_or_analysis, metric):
            self.earlier.append((dict(config), values, rung))

    def save(self, checkpoint_path: str) -> None:
        """Write what happened so far to that file; :meth:`restore` makes it known to a search algorithm like this."""
        self._started().save(checkpoint_path)

    def restore(self, checkpoint_path: str) -> None:
        """Go on from what :meth:`save` wrote."""
        self._direct = None
        self._started().restore(checkpoint_path)

    def _started(self) -> Direct:
        if self._direct is None:
            self.begin(None, (), 0)
        assert self._direct is not None  # noqa: S101 (just begun)
        return self._direct

    def __deepcopy__(self, memo: dict[int, Any]) -> SpaceSearcher:
        """Return a copy of the description; what was suggested without a Tuner stays behind."""
        copied = type(self).__new__(type(self))
        for name, value in self.__dict__.items():
            setattr(copied, name, None if name == "_direct" else deepcopy(value, memo))
        return copied
