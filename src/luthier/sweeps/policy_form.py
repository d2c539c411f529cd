"""Search algorithms and schedulers as a file calls them: ``hyperopt.HyperOptSearch: {metric: loss, mode: min}``."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from luthier.core.arguments import whole
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.goal import Goal
from luthier.core.space import Categorical, Space, holds_domains
from luthier.search.hp import HpChoice
from luthier.sweeps.calls import Call, decode, said_with
from luthier.sweeps.domains import domain_of
from luthier.sweeps.policies import SCHEDULER_NAMES, SCHEDULERS, SEARCHER_NAMES, SEARCHERS, Policy
from luthier.sweeps.signatures import bound, meant
from luthier.sweeps.spec import Named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = ""  # the name of a space that is one choice between dicts (HyperOpt has such)

# Modules that may stand before a class, whichever version wrote the file.
_AROUND = {"ray", "luthier", "tune", "sweeps", "config", "suggest", "search", "schedulers"}

# Where a search algorithm's own words for spaces are read.
_OWN_WORDS: Mapping[str, str] = {
    "HyperOptSearch": "luthier.search.hyperopt_space",
    "OptunaSearch": "luthier.search.optuna_space",
    "BayesOptSearch": "luthier.search.bayesopt_space",
    "SkOptSearch": "luthier.search.skopt_space",
    "ZOOptSearch": "luthier.search.zoopt",
}

# What a sweep has no use for: what would do instead.
_KEPT = "nothing: the server keeps the sweep and its results"
_OBJECT = "nothing: an object cannot be written into a file"
_REFUSED: Mapping[str, str] = {
    "storage": _KEPT,
    "study_name": _KEPT,
    "analysis": "points_to_evaluate and evaluated_rewards: the server reads no experiment of yours",
    "ax_client": _OBJECT,
    "sampler": _OBJECT,
    "custom_explore_fn": "hyperparam_mutations: a function cannot be written into a file",
    "resources_allocation_function": "nothing: CPUs and GPUs are shared alike",
}


@dataclass
class Search:
    """What a file asks of the search.

    Attributes:
        policy: the search algorithm; None where the file names none.
        arguments: what it is made with, beside what follows.
        space: the search space, where it has one of its own.
        goals: what it is to optimise.
        points: configs to try first.
        seed: where chance starts.
        repeats: how often each config is tried.
        max_concurrent: how many runs there may be at a time.
        warnings: what is odd but was understood.
    """

    policy: Policy | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    space: dict[str, Any] | None = None
    goals: tuple[Goal, ...] = ()
    points: tuple[dict[str, Any], ...] = ()
    seed: int | None = None
    repeats: int = 1
    max_concurrent: int | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def named(self) -> Named:
        """The search algorithm by its registered name."""
        return Named((self.policy and self.policy.name) or "random", self.arguments)


def search_in(given: Any, where: str = "search_alg") -> Search:
    """Return the search that *given* asks for.

    Raises:
        BadArgument: there is no such search algorithm, or it does not take what it is given.

    >>> search_in({"hyperopt.HyperOptSearch": {"metric": "loss", "mode": "min", "gamma": 0.5}}).named
    Named(name='hyperopt', arguments={'gamma': 0.5})
    """
    if given is None:
        return Search()
    policy, raw = _called(given, where, SEARCHERS, SEARCHER_NAMES)
    where = f"{where}.{policy.title}"
    if policy.name is None:
        return _around(policy, raw, where)
    space = raw.pop(policy.space, None)
    found = Search(policy, decode(raw, where, domain_of))
    arguments = found.arguments
    if space is not None:
        found.space = _space(policy, decode(space, f"{where}.{policy.space}", domain_of), f"{where}.{policy.space}")
    found.goals = goals_in(_metric(arguments), arguments.pop("mode", None), where, found.warnings)
    if (seed := arguments.pop(policy.seed, None)) is not None:
        found.seed = whole(f"{where}.{policy.seed}", seed, 0)
    points = arguments.pop("points_to_evaluate", None)
    if points is not None:
        _points(points, f"{where}.points_to_evaluate")
    if points and arguments.get("evaluated_rewards") is not None:
        arguments["points_to_evaluate"] = points  # they are known, not tried
    else:
        found.points = tuple(points or ())
    if "max_concurrent" in arguments and policy.title not in {"HEBOSearch", "TuneBOHB"}:
        found.max_concurrent = whole(f"{where}.max_concurrent", arguments.pop("max_concurrent"), 0) or None
    if policy.title == "SkOptSearch" and "optimizer" in arguments:
        raise BadArgument(f"{where}.optimizer", arguments["optimizer"], _OBJECT)
    return found


def _around(policy: Policy, raw: dict[str, Any], where: str) -> Search:
    """Return the search that a ConcurrencyLimiter or a Repeater stands around."""
    found = search_in(raw["searcher"], f"{where}.searcher")
    if found.policy is None:
        raise BadArgument(f"{where}.searcher", raw["searcher"], "a search algorithm")
    if policy.title == "Repeater":
        if not raw.get("set_index", True):
            raise BadArgument(
                f"{where}.set_index", raw["set_index"], "nothing: configs of a sweep say which repeat they are"
            )
        found.repeats *= whole(f"{where}.repeat", raw.get("repeat", 1), 1)
        return found
    if raw.get("batch"):
        raise BadArgument(f"{where}.batch", raw["batch"], "False: agents do not wait for each other")
    found.max_concurrent = whole(f"{where}.max_concurrent", raw["max_concurrent"], 1)
    return found


def scheduler_in(
    given: Any, goals: Sequence[Goal], where: str = "scheduler"
) -> tuple[Named | None, tuple[Goal, ...], list[str]]:
    """Return the scheduler that *given* asks for, what it compares by, and what is odd.

    Args:
        given: as a file says it.
        goals: what is optimised, where that is known; a scheduler that says the same again says nothing.
        where: what errors call it.

    Raises:
        BadArgument: there is no such scheduler, or it does not take what it is given.

    >>> scheduler_in({"AsyncHyperBandScheduler": {"max_t": 9, "metric": "loss", "mode": "min"}}, ())
    (Named(name='asha', arguments={'max_t': 9}), (Goal(metric='loss', mode='min'),), [])
    """
    if given is None:
        return None, (), []
    policy, raw = _called(given, where, SCHEDULERS, SCHEDULER_NAMES)
    where = f"{where}.{policy.title}"
    inner, own, odd = scheduler_in(raw.pop("base_scheduler", None), goals, f"{where}.base_scheduler")
    arguments = decode(raw, where, domain_of)
    if "metric" in arguments or "mode" in arguments or "reward_attr" in arguments:
        metric, mode = _metric(arguments), arguments.pop("mode", None)
        own = goals_in(metric, mode, where, odd)
        if len(own) > 1:
            raise BadArgument(f"{where}.metric", metric, "one metric: schedulers compare runs by one")
        if goals and own != tuple(goals):
            arguments |= {"metric": own[0].metric, "mode": own[0].mode}
    if policy.title == "PopulationBasedTrainingReplay" and not isinstance(arguments["policy_file"], list):
        wanted = "its lines: luthier.sweeps.config.tune.schedulers.PopulationBasedTrainingReplay writes them"
        raise BadArgument(f"{where}.policy_file", arguments["policy_file"], wanted, "a server reads no file of yours")
    if inner is not None:
        arguments["base_scheduler"] = inner
    assert policy.name is not None  # noqa: S101 (all schedulers have one)
    return (None if policy.name == "fifo" else Named(policy.name, arguments)), own, odd


def goals_in(metric: Any, mode: Any, where: str, odd: list[str]) -> tuple[Goal, ...]:
    """Return the goals that *metric* and *mode* spell, one each or a list; what is odd is appended to *odd*.

    Raises:
        BadArgument: they do not fit each other.

    >>> goals_in(["loss", "size"], "min", "tune", [])
    (Goal(metric='loss', mode='min'), Goal(metric='size', mode='min'))
    """
    if metric is None and mode is None:
        return ()
    if metric is None:
        raise BadArgument(f"{where}.metric", None, "the name of a reported metric", f"mode is {mode!r}")
    if mode is None:
        odd.append(
            f"{where}.mode is missing: {metric!r} is maximised, as in Ray Tune of then; say mode: max or mode: min"
        )
        mode = "max"
    metrics = [metric] if isinstance(metric, str) else metric
    modes = [mode] if isinstance(mode, str) else mode
    if not isinstance(metrics, list) or not metrics:
        raise BadArgumentType(f"{where}.metric", metric, "the name of a reported metric, or a list of such")
    if not isinstance(modes, list) or len(modes) not in {1, len(metrics)}:
        raise BadArgumentType(f"{where}.mode", mode, f"min or max, or one of them for each of {len(metrics)} metrics")
    modes = modes * len(metrics) if len(modes) == 1 else modes
    if len({*map(str, metrics)}) < len(metrics):
        raise BadArgument(f"{where}.metric", metric, "different metrics")
    return tuple(Goal(name, way) for name, way in zip(metrics, modes, strict=True))


def _metric(arguments: dict[str, Any]) -> Any:
    """Take the metric out of *arguments*; ``reward_attr`` was the metric once, and was maximised."""
    metric, reward = arguments.pop("metric", None), arguments.pop("reward_attr", None)
    if metric is None and reward is not None:
        arguments.setdefault("mode", "max")
        return reward
    return metric


def _called(given: Any, where: str, known: Sequence[Policy], names: Mapping[str, str]) -> tuple[Policy, dict[str, Any]]:
    """Return which of *known* is called, and its arguments by name, as the file says them."""
    said: Any = given
    if isinstance(given, dict) and len(given) == 1:
        ((said, arguments),) = given.items()
    else:
        arguments = None
    titles = {policy.title: policy for policy in known}
    module, _, title = said.rpartition(".") if isinstance(said, str) else ("", "", "")
    if title in titles:
        policy = titles[title]
    elif title.lower() in names and not module:
        policy = next(each for each in known if each.name == names[title.lower()])
    else:
        wanted = meant(title, [*titles, *(name for name in names if name not in titles)])
        raise BadArgument(where, given, wanted)
    if not set(module.split(".")) - {""} <= _AROUND | {each.module for each in known}:
        raise BadArgument(where, said, policy.written, "there is no such module")
    if not (arguments is None or isinstance(arguments, (list, dict))):
        raise BadArgumentType(f"{where}.{title}", arguments, "a list of arguments, or a mapping by name")
    found = bound(f"{where}.{policy.title}", policy.signature, *said_with(arguments))
    found = {name: value for name, value in found.items() if value is not None}
    for name, value in found.items():
        if name in _REFUSED:
            raise BadArgument(f"{where}.{policy.title}.{name}", value, _REFUSED[name])
    return policy, found


def space_in_own_words(title: str, space: Any) -> Any:
    """Return *space*, in which there may be the words of the library behind the class *title*, in ours.

    >>> space_in_own_words("BayesOptSearch", {"x": (0, 10)})
    {'x': Float(0.0, 10.0, False, None)}
    """
    if title == "AxSearch" and isinstance(space, (list, tuple)):
        from luthier.search.ax_parameters import converted as of_ax

        return of_ax(space).description
    if title not in _OWN_WORDS or isinstance(space, (Call, Categorical)):
        return space
    from luthier.search.hyperopt_space import is_expression

    if not isinstance(space, dict) and not is_expression(space):
        return space
    found = import_module(_OWN_WORDS[title]).converted(space).description
    return found[ROOT] if list(found) == [ROOT] else found


def _space(policy: Policy, space: Any, where: str) -> dict[str, Any]:
    """Return *space*, which *policy* is to search; a choice between dicts lies under :data:`ROOT`."""
    space = space_in_own_words(policy.title, space)
    if isinstance(space, HpChoice) and policy.title == "HyperOptSearch":
        if not all(isinstance(option, dict) for option in space.options):
            raise BadArgument(where, space, "a mapping, or hp.choice between mappings: configs are mappings")
        return {ROOT: space}
    if not isinstance(space, dict):
        raise BadArgumentType(where, space, "a mapping of names to domains and constants")
    Space(space)
    return space


def _points(points: Any, where: str) -> None:
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise BadArgumentType(where, points, "a list of configs")
    if holds_domains(points, where):
        raise BadArgument(where, points, "configs, of values and not of domains")
