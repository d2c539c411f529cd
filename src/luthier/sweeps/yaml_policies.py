"""The search algorithm and the scheduler that a sweep file names, with their arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, shown_shortly
from luthier.sweeps.parameters import Reading
from luthier.sweeps.policies import SEARCHER_NAMES, SEARCHERS
from luthier.sweeps.policy_form import Search, scheduler_in, search_in
from luthier.sweeps.published import definition
from luthier.sweeps.spec import Named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.goal import Goal
    from luthier.sweeps.checking import Checked

_MUTATIONS = "hyperparam_mutations"
_ELSEWHERE = {"metric": "metric", "mode": "metric.goal", "points_to_evaluate": "points"}  # where the file says it


def search_of(checked: Checked, found: Any) -> tuple[Named, Search]:
    """Return which search algorithm *found* names, a name or a mapping; and what else it says of the sweep.

    *checked* hears what is wrong with it.
    """
    name, arguments = _split(found)
    elsewhere = _ELSEWHERE | {p.space: "parameters" for p in SEARCHERS if p.name == SEARCHER_NAMES[name] and p.space}
    for key in arguments.keys() & elsewhere.keys():
        checked.wrong(("search", key), f"the file says it in {elsewhere[key]}: leave it out here")
        return Named(name), Search()
    try:
        search = search_in({name: arguments}, "search")
    except BadArgument as error:
        _complain(checked, "search", arguments, error)
        return Named(name), Search()
    return Named(name, search.arguments), search


def scheduler_of(checked: Checked, found: Any, goals: Sequence[Goal]) -> Named | None:
    """Return which scheduler *found* names, a name or a mapping; None for the one that lets all runs be.

    What ``hyperparam_mutations`` holds is written as parameters are, or is a list of values.  *checked* hears what is
    wrong.
    """
    name, arguments = _split(found)
    mutations = arguments.get(_MUTATIONS)
    if isinstance(mutations, dict):
        before, path = len(checked.violations), ("scheduler", _MUTATIONS)
        ranges = {key: each for key, each in mutations.items() if not isinstance(each, list)}
        checked.check(ranges, {**definition("parameters"), "minProperties": 0}, path)
        if len(checked.violations) > before:
            return None
        arguments = {**arguments, _MUTATIONS: {**mutations, **Reading(checked, grid=False).space(ranges, path)}}
    inner = arguments.get("base_scheduler")
    if isinstance(inner, dict) and isinstance(inner.get("name"), str):
        inner_name, inner_arguments = _split(inner)
        arguments = {**arguments, "base_scheduler": {inner_name: inner_arguments}}
    try:
        scheduler, _, odd = scheduler_in({name: arguments}, goals, "scheduler")
    except BadArgument as error:
        _complain(checked, "scheduler", arguments, error)
        return None
    for text in odd:
        checked.warn(("scheduler",), text)
    return scheduler


def _split(found: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(found, str):
        return found, {}
    return found["name"], {key: value for key, value in found.items() if key != "name"}


def _complain(checked: Checked, top: str, arguments: Mapping[str, Any], error: BadArgument) -> None:
    key = error.argument.rpartition(".")[2].partition("[")[0]
    path = (top, key) if key in arguments else (top,)
    why = error.why or f"{shown_shortly(error.given, 80)} cannot be used"
    checked.wrong(path, f"{why}; give {error.wanted}")
