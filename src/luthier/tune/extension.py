"""What may change when an experiment goes on, and what may not."""

from __future__ import annotations

import contextlib
import copy
import math
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType, shown_shortly
from luthier.tune.configs import RunConfig, TuneConfig
from luthier.tune.search.searcher import Searcher, spoken_goals
from luthier.tune.searching import described

if TYPE_CHECKING:
    from luthier.store.card import ExperimentCard

# What decides that an experiment is through: other values of these let it go on.
_LIFTS = frozenset({"num_samples", "time_budget_s", "stop", "max_failures", "fail_fast"})
_WHERE = ("name", "storage_path", "local_dir", "storage_filesystem")  # the path that is restored says where
_PLAIN = (type(None), bool, int, float, str, list, tuple, dict)


@dataclass(frozen=True)
class Extension:
    """The configs of an experiment that goes on.

    Attributes:
        tune: how it is tuned from now on.
        run: where, how long, and who hears of it, from now on.
        changes: what of that is new, in words.
        lifts: whether that lets an experiment go on that was stopped or is through.
    """

    tune: TuneConfig
    run: RunConfig
    changes: tuple[str, ...] = ()
    lifts: bool = False


def extended(
    card: ExperimentCard,
    tune: TuneConfig | None,
    run: RunConfig | None,
    new_tune: TuneConfig | None = None,
    new_run: RunConfig | None = None,
) -> Extension:
    """Return what *new_tune* and *new_run* make of an experiment.

    A field that was left at its default stays as it was.

    Args:
        card: what the experiment is.
        tune: how it was tuned; None where that could not be kept.
        run: where and how it ran; None where that could not be kept.
        new_tune: what its user says now.
        new_run: what its user says now.

    Raises:
        BadArgument: something may not change, or was not kept and is not given; the text says why.
    """
    for argument, given, kind in (("tune_config", new_tune, TuneConfig), ("run_config", new_run, RunConfig)):
        if given is not None and not isinstance(given, kind):
            raise BadArgumentType(argument, given, f"a {kind.__name__}")
    tune, new_tune = _known("tune_config", tune, new_tune)
    run, new_run = _known("run_config", run, new_run)
    unsaid = tune.metric is None and new_tune.metric is None
    tune = replace(tune, metric=_words(card.metrics), mode=_words(card.modes))
    _refuse_what_stays(card, tune, new_tune)
    own_goal = unsaid and _judges_by_own(card, new_tune.scheduler or tune.scheduler, tune.search_alg)
    changes: dict[str, str] = {}
    told = _merged(tune, new_tune, TuneConfig(), changes)
    told = replace(told, search_alg=tune.search_alg, seed=tune.seed)
    if own_goal:
        told = replace(told, metric=None, mode=None)  # scheduler and search say so themselves
    ran = _merged(run, _placed(new_run, run), RunConfig(), changes)
    return Extension(told, ran, tuple(changes.values()), lifts=bool(_LIFTS.intersection(changes)))


def _words(several: list[str]) -> str | list[str] | None:
    """Return metrics or modes as a user would write them."""
    return several if len(several) > 1 else several[0] if several else None


def _judges_by_own(card: ExperimentCard, scheduler: Any, search: Any) -> bool:
    """Return whether the experiment's goal is the scheduler's own, or the search's, and the scheduler has its own.

    Raises:
        BadArgument: its own is another.
    """
    own = (getattr(scheduler, "metric", None), getattr(scheduler, "mode", None))
    if None in own or len(card.metrics) != 1:
        return False
    searched = isinstance(search, Searcher) and spoken_goals(search)
    if not searched and own != (was := (card.metrics[0], card.modes[0])):
        why = f"the trials so far were ranked and judged by {was[0]!r}, {was[1]!r}"
        raise BadArgument("tune_config.scheduler", scheduler, "one without a metric of its own, or with that", why)
    return True


def _known(argument: str, kept: Any, given: Any) -> tuple[Any, Any]:
    """Return what was kept and what is given; where nothing was kept, what is given is all there is."""
    if kept is None and given is None:
        raise BadArgument(argument, None, "what the experiment was started with", "it holds what could not be pickled")
    kind = TuneConfig if argument == "tune_config" else RunConfig
    return copy.copy(kept if kept is not None else given), given if given is not None else kind()


def _placed(new: RunConfig, run: RunConfig) -> RunConfig:
    new = copy.copy(new)
    for name in _WHERE:
        setattr(new, name, getattr(run, name))
    return new


def _refuse_what_stays(card: ExperimentCard, tune: TuneConfig, new: TuneConfig) -> None:
    for name in ("metric", "mode"):
        given, was = getattr(new, name), getattr(tune, name)
        said = list(given) if isinstance(given, tuple) else given
        if given is not None and said != was and not (isinstance(was, list) and {said} == set(was)):
            why = f"the trials so far were ranked and judged by {was!r}" if was else "the experiment began without one"
            raise BadArgument(f"tune_config.{name}", given, f"{was!r}, or leave it out" if was else "none", why)
    if new.seed is not None and new.seed != card.seed:
        why = "the trials so far were drawn from it, and those to come go on in the same order"
        raise BadArgument("tune_config.seed", new.seed, f"{card.seed}, or leave it out", why)
    if new.search_alg is not None and new.search_alg is not tune.search_alg:
        _refuse_other_searcher(described(tune.search_alg), described(new.search_alg))
    default = TuneConfig().num_samples
    was_asked = tune.num_samples
    if new.num_samples not in (default, -1) and new.num_samples < was_asked:
        why = f"{was_asked} were asked for, and samples can be added but not taken back"
        raise BadArgument("tune_config.num_samples", new.num_samples, f"{was_asked} or more, or -1 for no end", why)


def _refuse_other_searcher(was: Any, given: Any) -> None:
    name = type(was).__name__
    if type(was).__qualname__ != type(given).__qualname__:
        why = f"the trials so far were proposed by {name}, which goes on where it was"
        raise BadArgument("tune_config.search_alg", given, f"a {name}, or leave it out", why)
    before = getattr(was, "__dict__", {})
    for attribute, value in getattr(given, "__dict__", {}).items():
        old = before.get(attribute)
        changed = isinstance(value, _PLAIN) and isinstance(old, _PLAIN) and not _same(value, old)
        if changed and not attribute.startswith("_") and attribute not in ("max_concurrent", "random_state"):
            if attribute == "seed" and value is None:
                continue
            why = f"its {attribute} was {shown_shortly(old)} when the trials so far were proposed"
            raise BadArgument("tune_config.search_alg", given, "the one of before, or leave it out", why)


def _merged(was: Any, new: Any, default: Any, changes: dict[str, str]) -> Any:
    """Return *was* with what of *new* is not at its default; what changes goes into *changes*."""
    found: dict[str, Any] = {}
    for field in fields(was):
        old, given, unsaid = (getattr(config, field.name) for config in (was, new, default))
        if is_dataclass(old) and not isinstance(old, type) and type(old) is type(given):
            found[field.name] = _merged(old, given, type(given)(), changes)
        elif _same(given, unsaid) or _same(given, old):
            found[field.name] = old
        else:
            found[field.name] = given
            changes[field.name] = f"{field.name} {shown_shortly(old, 80)} -> {shown_shortly(given, 80)}"
    if isinstance(was, TuneConfig) and found["time_budget_s"] == math.inf:
        found["time_budget_s"] = None
    merged = copy.copy(was)
    for name, value in found.items():
        setattr(merged, name, value)
    return merged


def _same(one: Any, other: Any) -> bool:
    """Return whether the two are the same for all that can be seen: equal, or alike once pickled."""
    if one is other:
        return True
    if one is None or other is None:
        return False
    with contextlib.suppress(Exception):  # arrays, and whatever an __eq__ does
        if bool(one == other):
            return True
    if isinstance(one, _PLAIN) or type(one).__qualname__ != type(other).__qualname__:
        return False
    import cloudpickle

    try:
        return bool(cloudpickle.dumps(one) == cloudpickle.dumps(other))
    except Exception:  # noqa: BLE001 (what cannot be pickled cannot be compared)
        return False
