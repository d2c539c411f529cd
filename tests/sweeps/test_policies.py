"""The tables of search algorithms and schedulers, beside those that there are."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

import luthier.tune.schedulers
from luthier.sweeps.config.policy_class import CLASSES
from luthier.sweeps.policies import SCHEDULER_NAMES, SCHEDULERS, SEARCHER_NAMES, SEARCHERS
from luthier.tune.schedulers.resource_changing_scheduler import DistributeResources
from luthier.tune.searching import SEARCH_ALG_IMPORT, SEARCH_ALGS


def parameters(signature):
    return [(each.name, each.kind, each.default) for each in signature.parameters.values()]


def test_every_search_algorithm_is_there_and_no_other():
    there = {f"{policy.module}:{policy.title}" for policy in SEARCHERS}
    known = {path.removeprefix("luthier.tune.search.") for path in SEARCH_ALGS.values()}
    assert there == known | {"concurrency_limiter:ConcurrencyLimiter", "repeater:Repeater"}


@pytest.mark.parametrize("policy", SEARCHERS, ids=lambda policy: policy.title)
def test_search_algorithms_take_what_they_take_there(policy):
    real = getattr(import_module(f"luthier.tune.search.{policy.module}"), policy.title)
    older = {"max_concurrent", "reward_attr"} if policy.older else set()
    found = [each for each in parameters(policy.signature) if each[0] not in older]
    assert found == parameters(inspect.signature(real))
    if policy.name is not None:
        assert SEARCH_ALG_IMPORT[policy.name]() is real
        assert not policy.space or policy.space in policy.signature.parameters
        assert policy.seed in policy.signature.parameters


def test_every_scheduler_is_there_and_no_other():
    known = set(luthier.tune.schedulers.__all__) - {"TrialScheduler", "create_scheduler"}
    assert {policy.title for policy in SCHEDULERS} == known


@pytest.mark.parametrize("policy", SCHEDULERS, ids=lambda policy: policy.title)
def test_schedulers_take_what_they_take_there(policy):
    real = getattr(luthier.tune.schedulers, policy.title)
    found = [each for each in parameters(policy.signature) if each[0] != "reward_attr"]
    there = [
        (name, kind, None if isinstance(default, DistributeResources) else default)
        for name, kind, default in parameters(inspect.signature(real))
    ]
    assert found == there
    module = import_module(f"luthier.tune.schedulers.{policy.module}")
    assert getattr(module, policy.title) is real


def test_names_are_those_of_the_library():
    assert SEARCHER_NAMES.keys() == SEARCH_ALGS.keys()
    for name, meant in SEARCHER_NAMES.items():
        assert SEARCH_ALG_IMPORT[name]() is SEARCH_ALG_IMPORT[meant]()
    known = luthier.tune.schedulers.NAMES
    assert {name: known[meant] for name, meant in SCHEDULER_NAMES.items()} == known


@pytest.mark.parametrize("package", ["search", "suggest"])
@pytest.mark.parametrize("policy", SEARCHERS, ids=lambda policy: policy.title)
def test_search_algorithms_are_where_ray_has_them(policy, package):
    module = import_module(f"luthier.sweeps.config.tune.{package}.{policy.module}")
    assert getattr(module, policy.title) is CLASSES[policy.title]
    assert policy.title in module.__all__
    assert getattr(import_module(f"luthier.sweeps.config.tune.{package}"), policy.title) is CLASSES[policy.title]


@pytest.mark.parametrize("policy", SCHEDULERS, ids=lambda policy: policy.title)
def test_schedulers_are_where_ray_has_them(policy):
    module = import_module(f"luthier.sweeps.config.tune.schedulers.{policy.module}")
    assert getattr(module, policy.title) is CLASSES[policy.title]


@pytest.mark.parametrize("policy", [*SEARCHERS, *SCHEDULERS], ids=lambda policy: policy.title)
def test_help_shows_the_arguments(policy):
    made = CLASSES[policy.title]
    assert inspect.signature(made) == policy.signature
    assert made.__doc__.startswith(policy.about)
