"""Sweep files: what each key becomes, what is refused and in which words, and the published schema."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from luthier import sweeps
from luthier.core.errors import BadSweep, Violation
from luthier.core.events import Proposed, WorkerJoined
from luthier.core.goal import Goal
from luthier.core.space import Float, Space
from luthier.core.terms import WorkerId
from luthier.server.planning import Plan
from luthier.sweeps.command import LISTS, WORDS
from luthier.sweeps.document import opened
from luthier.sweeps.published import definition
from luthier.sweeps.read import read
from luthier.sweeps.spec import COMMAND, Named, SweepSpec
from luthier.sweeps.yaml_form import BAYES, BLIND
from luthier.tune.schedulers import NAMES
from luthier.tune.searching import SEARCH_ALGS, create_searcher

FILES = sorted((Path(__file__).parent / "files").glob("*.yaml"))
X = "parameters: {x: {min: 0.0, max: 1.0}}\n"
LOSS = "metric: {name: loss}\n"
SCHEMA = jsonschema.Draft202012Validator(sweeps.schema())


def complaints(text: str) -> list[Violation]:
    with pytest.raises(BadSweep) as caught:
        read(text)
    return list(caught.value.violations)


# -- the schema --------------------------------------------------------------------------------------------------------
def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(sweeps.schema())
    one, two = sweeps.schema(), sweeps.schema()
    one["$defs"].clear()
    assert two["$defs"] and sweeps.schema() == two


def test_each_key_says_what_it_is_for():
    for key, found in definition("sweep")["properties"].items():
        assert "description" in found or "$ref" in found, key


def test_the_schema_knows_the_names_of_tune():
    assert definition("search_name")["enum"] == sorted(SEARCH_ALGS)
    assert definition("scheduler_name")["enum"] == sorted(NAMES)
    assert set(definition("sweep")["properties"]["method"]["enum"]) == {
        *SEARCH_ALGS,
        "grid",
        "random",
        "bayes",
        "custom",
    }
    assert {BAYES, *BLIND} <= set(SEARCH_ALGS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_good_files(path):
    spec = read(path)
    assert spec.warnings == ()
    assert SCHEMA.is_valid(opened(path.read_text("utf-8")).value)
    assert isinstance(spec, SweepSpec) and spec.text == path.read_text("utf-8")
    assert len(Space(spec.parameters)) > 0
    assert read(spec.text) == spec
    mapping = opened(spec.text).value
    again = read(mapping)
    assert {**_fields(again), "text": ""} == {**_fields(spec), "text": ""}


def _fields(spec: SweepSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in spec.__struct_fields__}


def test_a_file_in_the_other_encoding_is_not_held_against_it():
    assert SCHEMA.is_valid({"tune": {"num_samples": 3}, "program": "x.py"})


# -- what keys become --------------------------------------------------------------------------------------------------
def test_grid():
    spec = read(FILES[0].parent / "grid.yaml")
    assert (spec.search, spec.num_samples, spec.run_cap) == (Named("grid"), 1, None)
    assert (spec.goals, spec.target) == ((Goal("accuracy", "max"),), 0.99)
    assert (spec.name, spec.description, spec.project) == ("all of them", "each combination once", "digits")
    assert (spec.entity, spec.program, spec.command) == ("team", "train.py", COMMAND)
    assert Space(spec.parameters).grid_size == 2 * 2 * 4 * 2


def test_bayes():
    spec = read(FILES[0].parent / "bayes.yaml")
    assert spec.search == Named("auto") and spec.num_samples is None and spec.run_cap == 40
    assert spec.scheduler == Named("hyperband_stopping", {"min_iter": 3, "eta": 2, "strict": False})
    assert spec.command == ("${env}", "${interpreter}", "${program}", "--seed", "7", "${args}")
    assert spec.goals == (Goal("val/loss", "min"),) and not spec.local


def test_ours():
    spec = read(FILES[0].parent / "ours.yaml")
    assert spec.search == Named("tpe", {"n_initial_points": 5})
    assert spec.scheduler == Named("asha", {"max_t": 9})
    assert spec.goals == (Goal("loss", "min"), Goal("size", "min"))
    assert (spec.num_samples, spec.run_cap, spec.repeats, spec.max_failures, spec.max_concurrent) == (50, 60, 2, 3, 8)
    assert (spec.resources, spec.stop, spec.seed) == ({"cpu": 2, "gpu": 0.5}, {"loss": 0.01}, 7)
    assert spec.output_metrics and spec.settings == {"anything": [1, 2]}
    assert spec.environment == {"OMP_NUM_THREADS": "1", "DEBUG": "false", "WORD": "x"}
    assert spec.points == ({"optimizer": {"name": "sgd", "momentum": 0.9}, "width": 8}, {})


def test_defaults():
    spec = read("method: random\n" + X)
    assert spec == SweepSpec(text=spec.text, parameters={"x": Float(0, 1)}, search=Named("random"))
    assert read(f"method: random\nname:\nrun_cap: null\n{X}").name is None  # nothing given is nothing said


@pytest.mark.parametrize(
    ("words", "search"),
    [
        ("method: tpe", Named("tpe")),
        ("search: tpe", Named("tpe")),
        ("search: {name: tpe, gamma: 0.3}", Named("tpe", {"gamma": 0.3})),
        ("method: tpe\nsearch: {name: tpe, gamma: 0.3}", Named("tpe", {"gamma": 0.3})),
        ("search: {name: grid, max_concurrent: 3}", Named("grid")),
        ("method: custom\nsearch: gp", Named("gp")),
        ("method: bayes\nsearch: {name: auto}", Named("auto")),
        ("method: custom\nscheduler: {engine: ax}", Named("ax")),
        ("method: bayes\nscheduler: {engine: wandb}", Named("auto")),
        ("method: custom\ncontroller: {type: local}", Named("random")),
    ],
)
def test_who_searches(words, search):
    spec = read(f"{words}\nparameters: {{x: {{values: [1, 2]}}}}\n{LOSS}")
    assert spec.search == search and spec.scheduler is None and spec.warnings == ()
    assert (spec.max_concurrent, spec.seed) == ((3, None) if "concurrent" in words else (None, None))
    assert spec.local is ("local" in words)
    if search.name != "ax":  # which takes seconds to import
        create_searcher(spec.search.name, **spec.search.arguments)


PBT = """
scheduler:
  name: pbt
  time_attr: step
  perturbation_interval: 2
  hyperparam_mutations:
    x: {min: 0.1, max: 1.0}
    y: [1, 2]
"""
MUTATED = {"x": Float(0.1, 1.0), "y": [1, 2]}


@pytest.mark.parametrize(
    ("words", "scheduler"),
    [
        ("scheduler: fifo", None),
        ("scheduler: asha", Named("asha")),
        ("scheduler: {name: asha, max_t: 9}", Named("asha", {"max_t": 9})),
        ("scheduler: {name: asha, metric: size, mode: max}", Named("asha", {"metric": "size", "mode": "max"})),
        ("scheduler: {name: pb2, hyperparam_bounds: {x: [0, 1]}}", Named("pb2", {"hyperparam_bounds": {"x": [0, 1]}})),
        (
            "scheduler: {name: resource_changing, base_scheduler: {name: asha, max_t: 9}}",
            Named("resource_changing", {"base_scheduler": Named("asha", {"max_t": 9})}),
        ),
        (PBT, Named("pbt", {"time_attr": "step", "perturbation_interval": 2, "hyperparam_mutations": MUTATED})),
    ],
)
def test_who_stops(words, scheduler):
    spec = read(f"method: random\n{words}\n{X}{LOSS}")
    assert spec.scheduler == scheduler and spec.warnings == ()
    if "metric" not in words:  # which stands in two places then
        Plan(spec, "abcdefgh", 3)


def test_a_seed_of_the_search_is_the_sweeps():
    assert read(f"search: {{name: tpe, seed: 3}}\n{X}{LOSS}").seed == 3
    assert read(f"search: {{name: tpe, seed: 3}}\nseed: 4\n{X}{LOSS}").seed == 4


@pytest.mark.parametrize(
    ("words", "key", "text"),
    [
        ("search: {name: tpe, n_initial_point: 5}", "search.n_initial_point", "give 'n_initial_points', or another of"),
        ("search: {name: tpe, metric: loss}", "search.metric", "the file says it in metric"),
        ("search: {name: tpe, space: {}}", "search.space", "the file says it in parameters"),
        ("search: {name: zoopt, dim_dict: {}}", "search.dim_dict", "the file says it in parameters"),
        ("search: {name: optuna, sampler: x}", "search.sampler", "an object cannot be written into a file"),
        ("search: {name: tpe, seed: x}", "search.seed", "'x' cannot be used; give a number"),
        ("method: random\nscheduler: {name: asha, max_tt: 3}", "scheduler.max_tt", "give 'max_t', or another of"),
        (
            "method: random\nscheduler: {name: resource_changing, base_scheduler: 3}",
            "scheduler.base_scheduler",
            "one of",
        ),
        (
            "method: random\nscheduler: {name: pbt, hyperparam_mutations: {x: {mim: 0.1, max: 1}}}",
            "scheduler.hyperparam_mutations.x.mim",
            "did you mean 'min'?",
        ),
    ],
)
def test_arguments_that_are_not_taken(words, key, text):
    found = complaints(f"{words}\n{X}{LOSS}")
    assert any(violation.key == key and text in violation.text for violation in found), found
    assert all(violation.line == len(words.splitlines()) for violation in found)


@pytest.mark.parametrize(
    ("words", "num_samples"),
    [
        ("method: grid", 1),
        ("method: grid\npoints: [{x: 1}, {x: 2}]", 3),
        ("method: grid\nnum_samples: 5", 5),
        ("method: grid\nnum_samples: -1", None),
        ("method: random", None),
        ("method: random\nnum_samples: 9", 9),
    ],
)
def test_num_samples(words, num_samples):
    assert read(f"{words}\nparameters: {{x: {{values: [1, 2]}}}}").num_samples == num_samples


# -- what has no effect, and is told -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "warning"),
    [
        ("foo: 1", "line 4: foo: there is no such key as 'foo'; there are: apiVersion, "),
        ("job: a/b:latest", "line 4: job: it has no effect"),
        (
            "early_terminate: {type: hyperband, min_iter: 3, s: 2}",
            "line 4: early_terminate.s: it has no effect without",
        ),
        ("early_terminate: {type: hyperband, min_iter: 3, max_iter: 9, s: 2}", "line 4: early_terminate.min_iter"),
        ("run_cap: '10'", "line 4: run_cap: '10' is text, and read as a number"),
    ],
)
def test_warnings(words, warning):
    spec = read(f"method: random\n{X}{LOSS}{words}")
    assert len(spec.warnings) == 1 and spec.warnings[0].startswith(warning)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("method: random\nparameters: {'a b': {value: 1}}", "line 2: parameters.a b: elsewhere it may be refused"),
        (f"method: bayes\n{X}metric: {{name: loss, impute: best}}", "line 3: metric.impute: it has no effect"),
        (f"method: bayes\n{X}metric: {{name: l, impute_while_running: latest}}", "line 3: metric.impute_while_running"),
        (
            f"method: tpe\n{X}metrics: [{{name: a}}, {{name: b, target: 1}}]",
            "line 3: metrics[1].target: it has no effect",
        ),
        (
            f"method: custom\nscheduler: {{engine: optuna, source: s.py}}\n{X}{LOSS}",
            "line 2: scheduler.source: it has no effect: optuna searches what parameters say",
        ),
        (
            f"method: bayes\nscheduler: {{engine: optuna}}\n{X}{LOSS}",
            "line 2: scheduler.engine: it has no effect: method is bayes",
        ),
        (
            "method: random\nparameters: {x: {min: '1e-3', max: 1}}",
            "line 2: parameters.x.min: '1e-3' is text, and read",
        ),
    ],
)
def test_more_warnings(text, warning):
    spec = read(text)
    assert len(spec.warnings) == 1 and spec.warnings[0].startswith(warning)


def test_impute_as_it_is_by_default_is_not_told():
    text = f"method: bayes\n{X}metric: {{name: loss, impute: worst, impute_while_running: false}}"
    assert read(text).warnings == ()


# -- what is refused ---------------------------------------------------------------------------------------------------
INVALID = [
    ("", "", X, "line 1: give method, or search"),
    (
        "method: grod",
        "method",
        X,
        "line 1: method: there is no such value as 'grod'; did you mean 'grid'? There are: grid,",
    ),
    ("method: Random", "method", X, "did you mean 'random'?"),
    ("method: bayesian", "method", X, "did you mean 'bayes'?"),
    ("method: [grid]", "method", X, "there is no such value as ['grid']"),
    ("method: random", "", "", "line 1: 'parameters' is missing"),
    ("method: random", "", "paramters: {x: {value: 1}}\n", "line 1: 'parameters' is missing; is it 'paramters'?"),
    ("method: random", "parameters", "parameters: {}\n", "line 2: parameters: it is empty"),
    ("method: random", "parameters", "parameters: [x]\n", "line 2: parameters: ['x'] cannot be used: give a mapping"),
    (
        "method: random\nrun_cpa: 3",
        "run_cpa",
        X,
        "line 2: run_cpa: there is no such key as 'run_cpa'; did you mean 'run_cap'?",
    ),
    ("method: random\nrun_cap: 0", "run_cap", X, "line 2: run_cap: 0 cannot be used: give a whole number of 1 or more"),
    ("method: random\nrun_cap: 1.5", "run_cap", X, "1.5 cannot be used: give a whole number"),
    ("method: random\nrun_cap: true", "run_cap", X, "True cannot be used: give a whole number"),
    ("method: random\nrun_cap: many", "run_cap", X, "'many' cannot be used: give a whole number"),
    ("method: random\nnum_samples: 0", "num_samples", X, "0 cannot be used: give something other than 0"),
    ("method: random\nnum_samples: -2", "num_samples", X, "give a whole number of -1 or more"),
    ("method: random\nmax_failures: -2", "max_failures", X, "give a whole number of -1 or more"),
    ("method: random\nseed: -1", "seed", X, "give a whole number of 0 or more"),
    ("method: random\nresources: {gpu: -1}", "resources.gpu", X, "give a number of 0 or more"),
    ("method: random\nresources: 3", "resources", X, "give a mapping"),
    ("method: random\nstop: {loss: low}", "stop.loss", X, "'low' cannot be used: give a number"),
    ("method: random\noutput_metrics: 1", "output_metrics", X, "give true or false"),
    ("method: random\nenvironment: {A: [1]}", "environment.A", X, "give text or a number or true or false"),
    ("method: random\nenvironment: {'A=B': 1}", "environment.A=B", X, "no variable has such a name"),
    ("method: random\nname: 3", "name", X, "3 cannot be used: give text"),
    ("method: random\ncommand: python train.py", "command", X, "give a list, such as ['python', 'train.py']"),
    ("method: random\ncommand: []", "command", X, "there must be 1 or more"),
    (
        "method: random\ncommand:\n  - python\n  - ${arg}",
        "command[1]",
        X,
        "line 4: command[1]: '${arg}' cannot be used: give ${args}",
    ),
    ("method: random\ncommand: ['${HOME}']", "command[0]", X, "${envvar:HOME}"),
    ("method: random\ncommand: ['--x=${args}']", "command[0]", X, "${args} as an item of its own"),
    ("method: random\nkind: swep", "kind", X, "did you mean 'sweep'?"),
    ("method: random\ncontroller: {type: remote}", "controller.type", X, "there are: cloud, local"),
    ("method: random\npoints: [{y: 1}]", "points[0].y", X, "there is no such parameter as 'y'; there are: x"),
    ("method: random\npoints: [3]", "points[0]", X, "give a mapping"),
    ("method: random\nmetric: {}", "metric", X, "line 2: metric: 'name' is missing"),
    ("method: random\nmetric: {name: loss, goal: maximise}", "metric.goal", X, "did you mean 'maximize'?"),
    ("method: random\nmetric: {name: loss, gaol: maximize}", "metric.gaol", X, "did you mean 'goal'?"),
    ("method: random\nmetric: loss", "metric", X, "'loss' cannot be used: give a mapping"),
    ("method: random\nmetric: {name: loss, target: low}", "metric.target", X, "give a number"),
    ("method: random\nmetrics: [{name: a}]", "metrics", X, "there must be 2 or more"),
    ("method: tpe\nmetrics: [{name: a}, {name: a}]", "metrics[1].name", X, "a is there twice"),
    (f"method: tpe\n{LOSS}metrics: [{{name: a}}, {{name: b}}]", "metrics", X, "line 3: metrics: there is metric, too"),
    ("method: bayes", "method", X, "bayes learns from results: say in metric from which"),
    ("search: optuna", "search", X, "optuna learns from results"),
    ("search: {nam: tpe}", "search", X, "line 1: search: 'name' is missing"),
    ("search: tpee", "search", X, "did you mean 'tpe'?"),
    ("search: {name: tpee}", "search.name", X, "did you mean 'tpe'?"),
    (f"method: gp\nsearch: tpe\n{LOSS}", "method", X, "it is gp, and search is tpe: leave one of them out"),
    (f"method: custom\n{LOSS}", "method", X, "custom says not who searches"),
    (f"method: random\nscheduler: ashaa\n{LOSS}", "scheduler", X, "did you mean 'asha'?"),
    (f"method: random\nscheduler: {{engine: optun}}\n{LOSS}", "scheduler.engine", X, "did you mean 'optuna'?"),
    (
        f"method: random\nscheduler: asha\n{LOSS}early_terminate: {{type: hyperband, min_iter: 1}}",
        "early_terminate",
        X,
        "there is scheduler, too: leave one of them out",
    ),
    ("method: random\nearly_terminate: {type: hyperband, min_iter: 1}", "early_terminate", X, "say in metric which"),
    (
        f"method: random\n{LOSS}early_terminate: {{type: hyperbnd, min_iter: 1}}",
        "early_terminate.type",
        X,
        "'hyperband'?",
    ),
    (
        f"method: random\n{LOSS}early_terminate: {{type: hyperband}}",
        "early_terminate",
        X,
        "give min_iter, or max_iter and s",
    ),
    (
        f"method: random\n{LOSS}early_terminate: {{type: hyperband, max_iter: 9}}",
        "early_terminate",
        X,
        "max_iter and s",
    ),
    (
        f"method: random\n{LOSS}early_terminate: {{type: hyperband, max_iter: 2, s: 1}}",
        "early_terminate.max_iter",
        X,
        "no band",
    ),
    (
        f"method: random\n{LOSS}early_terminate: {{type: hyperband, min_iter: 1, eta: 1}}",
        "early_terminate.eta",
        X,
        "above 1",
    ),
    (
        "method: random",
        "parameters.x.distribution",
        "parameters: {x: {distribution: unform, min: 0, max: 1}}\n",
        "'uniform'?",
    ),
    (
        "method: random",
        "parameters.x.min",
        "parameters: {x: {min: low, max: 1}}\n",
        "'low' cannot be used: give a number",
    ),
    ("method: random", "parameters.x.mn", "parameters: {x: {min: 0, max: 1, mn: 3}}\n", "did you mean 'min'?"),
    ("method: random", "parameters.x", "parameters: {x: {min: 0}}\n", "line 2: parameters.x: 'max' is missing"),
    ("method: random", "parameters.x", "parameters: {x: {min: 0, max: 1, q: 1}}\n", "'distribution' is missing"),
    ("method: random", "parameters.x", "parameters: {x: {}}\n", "it is empty"),
    ("method: random", "parameters.x", "parameters: {x: 3}\n", "3 cannot be used: give a mapping, such as {value: 3}"),
    ("method: random", "parameters.x", "parameters: {x: [1, 2]}\n", "such as {values: [1, 2]}"),
    ("method: random", "parameters.x.values", "parameters: {x: {values: 3}}\n", "give a list"),
    ("method: random", "parameters.x.values", "parameters: {x: {values: []}}\n", "there must be 1 or more"),
    ("method: random", "parameters.a.parameters.b", "parameters: {a: {parameters: {b: 3}}}\n", "such as {value: 3}"),
    ("method: random", "parameters.x.parameters", "parameters: {x: {parameters: {}}}\n", "it is empty"),
    ("method: random", "parameters.x.choice.a.y", "parameters: {x: {choice: {a: {y: 3}}}}\n", "such as {value: 3}"),
    ("method: random", "parameters.x.choice[1]", "parameters: {x: {choice: [{value: 1}, 3]}}\n", "give a mapping"),
]


@pytest.mark.parametrize(("head", "key", "parameters", "words"), INVALID, ids=lambda value: str(value)[:40])
def test_refused(head, key, parameters, words):
    text = f"{head}\n{parameters}".lstrip("\n")
    found = complaints(text)
    assert any(words in str(violation) and violation.key == key for violation in found), found
    assert all(violation.line is not None for violation in found)


@pytest.mark.parametrize(("head", "key", "parameters", "words"), INVALID, ids=lambda value: str(value)[:40])
def test_what_the_schema_refuses_is_refused_and_the_other_way_round(head, key, parameters, words):
    """But for what no schema can say."""
    valid = SCHEMA.is_valid(opened(f"{head}\n{parameters}".lstrip("\n")).value)
    beyond = (
        "learns from", "leave one", "says not who", "say in metric", "is there twice", "there is metric, too",
        "no band", "no such parameter", "${",
    )  # fmt: skip
    assert valid is any(part in words for part in beyond)


def test_the_other_encoding_is_read_as_well():
    spec = read("program: t.py\ntune:\n  num_samples: 3\n  config: {lr: {tune.uniform: [0, 1]}, on: no}\n")
    assert (spec.program, spec.num_samples, spec.parameters["lr"]) == ("t.py", 3, Float(0, 1))
    assert spec.text.startswith("program") and spec.warnings[0].startswith("line 4: no stands for false")
    (violation,) = complaints("program: t.py\ntune:\n  num_smaples: 3\n")
    assert violation.line == 3 and "num_samples" in violation.text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_server_takes_good_files(path):
    if path.stem != "ours":  # whose scheduler compares by one metric
        spec = read(path)
        engine = Plan(spec, "abcdefgh", 3).engine()
        proposed = [e for e in engine.handle(WorkerJoined(WorkerId("w"), {"slot": 2.0})) if isinstance(e, Proposed)]
        assert len(proposed) == 2 and all(event.config in Space(spec.parameters) for event in proposed)


def test_several_are_told_at_once():
    found = complaints("method: grod\nrun_cap: 0\nparameters:\n  a: 3\n  b: {min: 1}\n")
    assert [(violation.key, violation.line) for violation in found] == [
        ("method", 1),
        ("run_cap", 2),
        ("parameters.a", 4),
        ("parameters.b", 5),
    ]


def test_in_a_mapping_there_are_no_lines():
    with pytest.raises(BadSweep) as caught:
        read({"method": "grod", "parameters": {"x": {"value": 1}}})
    assert caught.value.violations[0].line is None
    assert str(caught.value).startswith("the sweep cannot be used:\n  method: there is no such value as 'grod'")


def test_errors_can_be_pickled():
    error = BadSweep([Violation("a.b", 3, "no"), Violation("", None, "at all")])
    again = pickle.loads(pickle.dumps(error))
    assert again.violations == error.violations and str(again) == str(error)
    assert str(error) == "the sweep cannot be used:\n  line 3: a.b: no\n  at all"


def test_the_spec_can_be_kept():
    spec = read(FILES[0].parent / "ours.yaml")
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_macros_are_on_the_page():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "write-a-sweep-file.md").read_text("utf-8")
    for macro in (*LISTS, *WORDS):
        assert f"`${{{macro}}}`" in page, macro
    for key in definition("sweep")["properties"]:
        assert f"`{key}" in page, key
    for kind in definition("parameter")["anyOf"]:
        assert f"`{kind['$ref'].rpartition('/')[2]}`" in page, kind
    assert json.dumps(sweeps.schema())
