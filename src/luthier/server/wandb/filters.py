"""Filters and orders of runs, in the words of MongoDB, as W&B's client sends them."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from luthier.core.goal import number
from luthier.server.wandb.asked import Refused
from luthier.server.wandb.pattern import Pattern
from luthier.server.wandb.values import mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEEPEST = 20
LONGEST = 100_000  # letters: every run is held against every word
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def filter_of(text: str | None) -> dict[str, Any]:
    """Return the filter that *text*, JSON, holds; an empty one where it holds none.

    Raises:
        Refused: it is too long.
    """
    if text is not None and len(text) > LONGEST:
        raise Refused(f"a filter has {LONGEST} letters at most")
    return mapping(text)


def ready(wish: Any, depth: int = 0) -> Any:
    """Return the filter *wish* with its regular expressions read, once for all runs.

    Raises:
        Refused: one of them cannot be, or it is nested too deeply.
    """
    if depth > 3 * DEEPEST:
        raise Refused("a filter is an object, of objects that are not nested too deeply")
    if isinstance(wish, list):
        return [ready(part, depth + 1) for part in wish]
    if not isinstance(wish, dict):
        return wish
    found = {key: ready(part, depth + 1) for key, part in wish.items() if key not in {"$regex", "$options"}}
    if "$regex" in wish:
        found["$regex"] = Pattern(wish["$regex"], wish.get("$options", ""))
    return found


def holds(wish: Any, facts: Mapping[str, Any], depth: int = 0) -> bool:
    """Return whether a run of which *facts* are known passes the filter *wish*, which is :func:`ready`.

    Raises:
        Refused: it has words that are not known here.

    >>> holds({"$and": [{"config.lr.value": {"$gt": 0.1}}, {"state": "failed"}]}, {"config.lr": 1, "state": "failed"})
    True
    """
    if not isinstance(wish, dict) or depth > DEEPEST:
        raise Refused("a filter is an object, of objects that are not nested too deeply")
    for key, value in wish.items():
        if key in {"$and", "$or", "$nor"}:
            parts = [holds(part, facts, depth + 1) for part in _listed(value)]
            passes = all(parts) if key == "$and" else any(parts) == (key == "$or")
        else:
            found = facts.get(named(key))
            passes = all(_one(word, found, given) for word, given in _words(value).items())
        if not passes:
            return False
    return True


def named(key: str) -> str:
    """Return what *facts* call what W&B's client calls *key*.

    >>> named("config.lr.value"), named("summary_metrics.loss"), named("display_name")
    ('config.lr', 'summary_metrics.loss', 'displayName')
    """
    if key.startswith("config.") and key.endswith(".value"):
        return key.removesuffix(".value")
    if key.startswith("summary."):
        return f"summary_metrics.{key.removeprefix('summary.')}"
    return _ALIASES.get(key, key)


_ALIASES = {
    "display_name": "displayName",
    "created_at": "createdAt",
    "heartbeat_at": "heartbeatAt",
    "job_type": "jobType",
    "username": "user",
}


def rank(value: Any, *, downwards: bool) -> tuple[int, float, str]:
    """Return by what to sort *value*, up or *downwards*: numbers, then text, and last what is not there or no number.

    >>> sorted([3, None, 1.0, "a"], key=lambda value: rank(value, downwards=True))
    [3, 1.0, 'a', None]
    """
    found = number(value)
    if found is not None and found == found:  # noqa: PLR0124 (not NaN)
        return 0, -found if downwards else found, ""
    return (1, 0.0, value) if isinstance(value, str) else (2, 0.0, "")


def _words(value: Any) -> dict[str, Any]:
    worded = isinstance(value, dict) and value and all(key.startswith("$") for key in value)
    return value if worded else {"$eq": value}


def _one(word: str, found: Any, given: Any) -> bool:
    if word in _COMPARE:
        try:
            return found is not None and bool(_COMPARE[word](found, given))
        except TypeError:
            return False
    match word:
        case "$eq":
            return any(bool(each == given) for each in _each(found))
        case "$ne" | "$nin":
            return not _one({"$ne": "$eq", "$nin": "$in"}[word], found, given)
        case "$in":
            return any(_one("$eq", found, each) for each in _listed(given))
        case "$regex":
            return any(isinstance(text, str) and given.search(text) for text in _each(found))
        case "$exists":
            return (found is not None) == bool(given)
        case "$not":
            return not all(_one(inner, found, each) for inner, each in _words(given).items())
    raise Refused(f"filters with {word[:40]} are not known here")


def _each(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Refused("a filter's $and, $or, $in take lists")
    return value
