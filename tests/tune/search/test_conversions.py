"""What the page on search algorithms says becomes of each domain, compared with what does."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from luthier import tune
from luthier.core import space as core
from luthier.core.errors import BadArgument
from luthier.core.rng import rng_at
from luthier.core.space import Space
from luthier.search.variants import Variants
from luthier.tune import spaces
from tests.tune.search.algorithms import ALGORITHMS, HERE, made

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "search-algorithms.md"
WORDS = ("exact", "approximated", "refused")
BETWEEN = "choice between dicts"
DOMAINS: dict[str, Any] = {
    "uniform": tune.uniform(-2, 3),
    "quniform": tune.quniform(0, 1, 0.1),
    "loguniform": tune.loguniform(1e-4, 1e-1),
    "qloguniform": tune.qloguniform(1, 64, 0.5),
    "randn": tune.randn(10, 2),
    "qrandn": tune.qrandn(0, 2, 0.5),
    "randint": tune.randint(3, 12),
    "qrandint": tune.qrandint(4, 40, 4),
    "lograndint": tune.lograndint(1, 1000),
    "qlograndint": tune.qlograndint(8, 512, 8),
    "choice": tune.choice(["a", None, 3.5, (1, 2)]),
    BETWEEN: tune.choice([{"kind": "net", "depth": tune.randint(1, 5)}, {"kind": "tree"}]),
    "sample_from": tune.sample_from(lambda config: config["constant"] + 1),
    "grid_search": tune.grid_search([1, 2, 3]),
}
DRAWS = 256
FAR = 0.13  # between two distribution functions: what 256 and 4 000 draws of one distribution stay below


def tables() -> dict[str, dict[str, str]]:
    """Return the cell of each domain, by the class that heads its column."""
    found: dict[str, dict[str, str]] = {}
    heads: list[str] = []
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("|") else []
        if not cells:
            heads = []
        elif cells[0] == "Domain":
            heads = [re.findall(r"`(\w+)`", cell)[0] for cell in cells[1:]]
            for head in heads:
                assert head not in found, f"{head} heads two columns"
                found[head] = {}
        elif heads and not cells[0].startswith("--"):
            assert len(cells) == len(heads) + 1, line
            names = [BETWEEN] if cells[0].endswith("between dicts") else re.findall(r"`(\w+)`", cells[0])
            for head, cell in zip(heads, cells[1:], strict=True):
                for name in names:
                    assert name not in found[head], f"{name} stands twice under {head}"
                    found[head][name] = cell
    return found


TABLES = tables()


def verdict(name: str, domain: str) -> str:
    return re.split(r"\W", TABLES[name][domain], maxsplit=1)[0]


def space_of(name: str) -> dict[str, Any]:
    there = {key: domain for key, domain in DOMAINS.items() if verdict(name, key) != "refused"}
    return {"constant": 3, **there}


@cache
def reference(key: str) -> list[Any]:
    space = Space({"constant": 3, key: DOMAINS[key]})
    return [space.sample(rng_at(1, n))[key] for n in range(4000)]


@cache
def proposed(name: str) -> list[dict[str, Any]]:
    """Return proposals from the whole space, or where there are no such some of any kind."""
    space = space_of(name)
    if name == "BasicVariantGenerator":
        searcher = Variants(space, -1)
        return [searcher.ask(n, rng_at(3, n)) for n in range(DRAWS)]  # type: ignore[misc]
    how = "early" if ALGORITHMS[name].drawn is None else "drawn"
    count = 24 if ALGORITHMS[name].drawn is None else DRAWS
    search = made(name, how, space=space, metric="loss", mode="min")
    search.seed = 5
    configs = []
    for n in range(count):
        configs.append(search.suggest(f"t{n}"))
        search.on_trial_complete(f"t{n}", {"loss": float(n % 7)})
    return configs


def test_all_domains_are_here():
    makers = {name for name, thing in vars(spaces).items() if getattr(thing, "__module__", "") == spaces.__name__}
    assert {name for name in makers if name.islower() and name[0] != "_"} == set(DOMAINS) - {BETWEEN, "grid_search"}
    kinds = {thing for thing in vars(core).values() if isinstance(thing, type) and issubclass(thing, core.Domain)}
    described = {type(core.described(domain)) for domain in DOMAINS.values()}
    of_files = {core.Beta, core.Rounded, core.Weighted}  # only sweep files say these; see test_every.py
    assert described | of_files == (kinds - {core.Domain}) | {core.Function}


def test_every_search_algorithm_has_a_column_and_no_other():
    assert set(TABLES) == set(ALGORITHMS) - {"AutoSearch"}  # which asks others


@pytest.mark.parametrize("name", TABLES)
def test_every_domain_has_a_row_and_every_cell_a_word(name):
    assert set(TABLES[name]) == set(DOMAINS)
    for domain, cell in TABLES[name].items():
        assert re.match(rf"({'|'.join(WORDS)})(: \S|$)", cell), f"{domain}: {cell!r}"
        assert cell == "refused" or ": " in cell, f"{domain}: {cell!r} does not say how"


@pytest.mark.parametrize("name", [name for name in TABLES if name in HERE])
def test_what_is_refused_is_and_the_rest_is_not(name):
    for domain, value in DOMAINS.items():
        if verdict(name, domain) == "refused":
            with pytest.raises(BadArgument, match=f"'{domain}'"):
                made(name, space={domain: value}, metric="loss", mode="min").suggest("t")
    space = Space(space_of(name))
    for config in proposed(name):
        assert config in space
        assert config["sample_from"] == 4


def share(values: list[Any], point: Any) -> float:
    """Return which share of *values* are not above *point*; of what has no order, which are equal to it."""
    if isinstance(point, (int, float)) and not isinstance(point, bool):
        return float(sum(value <= point for value in values) / len(values))
    return float(sum(value == point for value in values) / len(values))


@pytest.mark.parametrize("name", [name for name in TABLES if name in HERE and ALGORITHMS[name].drawn is not None])
def test_what_is_exact_is_as_often_as_the_domain_says(name):
    configs = proposed(name)
    for domain in DOMAINS:
        if verdict(name, domain) != "exact" or domain == "sample_from":
            continue
        ours, theirs = reference(domain), [config[domain] for config in configs]
        if domain == "choice":
            ours, theirs = [repr(value) for value in ours], [repr(value) for value in theirs]
        if domain == BETWEEN:
            depths = [[model["depth"] for model in each if "depth" in model] for each in (ours, theirs)]
            assert max(abs(share(depths[0], k) - share(depths[1], k)) for k in range(1, 5)) < FAR * 1.4, domain
            ours, theirs = [model["kind"] for model in ours], [model["kind"] for model in theirs]
        if domain == "grid_search":
            ours = [1, 2, 3]
        apart = {point: abs(share(ours, point) - share(theirs, point)) for point in dict.fromkeys(theirs)}
        assert max(apart.values()) < FAR, (domain, max(apart, key=lambda point: apart[point]))


def test_the_words_for_what_libraries_have_are_theirs():
    """The first word in code in a cell is what the library calls it."""
    from luthier.search.hyperopt_space import Knob
    from luthier.search.optuna_space import _Scale

    def theirs(name: str, key: str) -> str:
        (axis, *_) = Space({key: DOMAINS[key]}).axes
        if name == "OptunaSearch":
            return type(_Scale(axis.name, axis.domain).distribution).__name__
        kind = Knob(axis).kind
        return {"choice": "choice", BETWEEN: "choice"}.get(key, kind)

    for name in ("OptunaSearch", "HyperOptSearch"):
        for domain, cell in TABLES[name].items():
            if domain in ("sample_from", "grid_search"):
                continue
            if "of the same names" in cell:
                assert theirs(name, domain) == domain
                continue
            words = re.findall(r"`(\w+)", cell)
            assert theirs(name, domain) in words[:2], (name, domain, cell)
