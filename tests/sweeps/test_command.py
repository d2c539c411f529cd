"""What an agent executes: every macro, against what W&B's own client makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import BadArgument
from luthier.sweeps.command import LISTS, WORDS, argv, flaws
from luthier.sweeps.spec import COMMAND

PARAMS: dict[str, Any] = {
    "lr": 0.1,
    "amp": True,
    "slow": False,
    "none": None,
    "net": {"depth": 2, "act": "relu"},
    "s": "a b",
}


def expanded(*command: str, **more: Any) -> list[str]:
    return argv(command, PARAMS, **({"program": "train.py", "interpreter": "python", "environment": {}} | more))


@pytest.mark.parametrize(
    ("macro", "arguments"),
    [
        ("env", ["/usr/bin/env"]),
        ("interpreter", ["python"]),
        ("program", ["train.py"]),
        (
            "args",
            ["--lr=0.1", "--amp=True", "--slow=False", "--none=None", "--net={'depth': 2, 'act': 'relu'}", "--s=a b"],
        ),
        (
            "args_no_hyphens",
            ["lr=0.1", "amp=True", "slow=False", "none=None", "net={'depth': 2, 'act': 'relu'}", "s=a b"],
        ),
        (
            "args_no_equals",
            [
                "--lr",
                "0.1",
                "--amp",
                "True",
                "--slow",
                "False",
                "--none",
                "None",
                "--net",
                "{'depth': 2, 'act': 'relu'}",
                "--s",
                "a b",
            ],
        ),
        ("args_no_boolean_flags", ["--lr=0.1", "--amp", "--none=None", "--net={'depth': 2, 'act': 'relu'}", "--s=a b"]),
        (
            "args_append_hydra",
            ["+lr=0.1", "+amp=True", "+slow=False", "+none=None", "+net={'depth': 2, 'act': 'relu'}", "+s=a b"],
        ),
        (
            "args_override_hydra",
            ["++lr=0.1", "++amp=True", "++slow=False", "++none=None", "++net={'depth': 2, 'act': 'relu'}", "++s=a b"],
        ),
        ("args_json", [json.dumps(PARAMS)]),
        ("args_dict", ["lr", "amp", "slow", "none", "net", "s"]),
        (
            "args_dotted",
            ["--lr=0.1", "--amp=True", "--slow=False", "--none=None", "--net.depth=2", "--net.act=relu", "--s=a b"],
        ),
    ],
)
def test_macros(macro, arguments):
    assert expanded(f"${{{macro}}}") == arguments


def test_none_is_left_out():
    named = {"args_json_file", *(name for name in WORDS if name != "args_json_file"), *LISTS}
    assert named == {*LISTS, *WORDS} and len(LISTS) + len(WORDS) == 13


@pytest.mark.parametrize("name", [name for name in LISTS if name not in {"env", "args_dotted"}] + ["args_json"])
def test_it_is_what_the_client_of_w_and_b_makes(name):
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    theirs = create_sweep_command_args({"args": {key: {"value": value} for key, value in PARAMS.items()}})[name]
    assert expanded(f"${{{name}}}") == list(theirs)


def test_default():
    assert expanded() == ["/usr/bin/env", "python", "train.py", *expanded("${args}")]
    assert argv(None, {}, program="t.py") == ["/usr/bin/env", sys.executable, "t.py"]
    assert COMMAND == ("${env}", "${interpreter}", "${program}", "${args}")


def test_a_file_with_the_parameters(tmp_path):
    path = tmp_path / "params.json"
    assert expanded("./run", "${args_json_file}", json_file=path) == ["./run", str(path)]
    assert json.loads(path.read_text("utf-8")) == PARAMS
    path.unlink()
    assert expanded("./run", "${args}", json_file=path)[0] == "./run"
    assert not path.exists()  # nobody asked for it
    assert expanded("--config=${args_json_file}", json_file=path) == [f"--config={path}"]
    with pytest.raises(BadArgument, match="json_file=None"):
        expanded("${args_json_file}")


def test_inside_of_an_item():
    assert expanded("run:${program}", "${interpreter}3", "x=${args_json}") == [
        "run:train.py",
        "python3",
        f"x={json.dumps(PARAMS)}",
    ]
    assert expanded("echo ${HOME} ${x:-y} $(true)") == ["echo ${HOME} ${x:-y} $(true)"]


def test_variables_of_the_environment(monkeypatch):
    around = {"HOME_DIR": "/h", "N": "3", "MACRO": "${args}"}
    assert expanded("${envvar:HOME_DIR}/x-${envvar:N}", environment=around) == ["/h/x-3"]
    assert expanded("${envvar:NOWHERE}", environment=around) == ["NOWHERE"]  # as W&B's client does
    assert expanded("${envvar:MACRO}", environment=around) == ["${args}"]  # what is put in is not looked at again
    monkeypatch.setenv("LUTHIER_TEST_WORD", "here")
    assert argv(["${envvar:LUTHIER_TEST_WORD}"], {}) == ["here"]


def test_what_is_put_in_is_not_looked_at_again():
    found = argv(["${program}", "${args}"], {"x": "${envvar:HOME}", "y": "${program}"}, program="${args}")
    assert found == ["${args}", "--x=${envvar:HOME}", "--y=${program}"]


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("${arg}", "${args}, which is a macro"),
        ("${args_no_hyphen}", "${args_no_hyphens}, which is a macro"),
        ("${Program}", "${program}, which is a macro"),
        ("${HOME}", "${envvar:HOME}, if a variable"),
        ("${zzz}", "one of the macros ${env}, ${args}"),
        ("${}", "one of the macros"),
        ("${envvar:}", "a name of letters"),
        ("${envvar:A-B}", "a name of letters"),
        ("--x=${args}", "${args} as an item of its own"),
        ("a ${env} b", "${env} as an item of its own"),
    ],
)
def test_flaws(item, words):
    ((place, flaw),) = flaws(["python", item])
    assert place == 1 and words in flaw
    with pytest.raises(BadArgument, match=r"command\[1\]="):
        expanded("python", item)


@pytest.mark.parametrize(
    "item", ["", "$", "${", "$args", "{args}", "$${x}", "a${b}", "${a}${b}", "bash -c 'echo ${HOME}'"]
)
def test_no_flaws(item):
    assert list(flaws([item])) == []
    assert expanded("x", item) == ["x", item]


def test_what_is_missing():
    with pytest.raises(BadArgument, match="program=None"):
        argv(None, {})
    with pytest.raises(BadArgument, match="something to execute"):
        argv(["${args}"], {})


@given(st.dictionaries(st.text("abc", min_size=1), st.text() | st.integers() | st.floats(allow_nan=False), max_size=4))
def test_one_argument_for_each_parameter_whatever_it_holds(params):
    assert argv(["x", "${args}"], params) == ["x", *(f"--{name}={value}" for name, value in params.items())]
    assert json.loads(argv(["x", "${args_json}"], params)[1]) == params


def test_no_shell_is_involved():
    code = "import sys; print(sys.argv[1:])"
    params = {"x": "$(touch here); `id` | cat > /dev/null & '\"", "y": "a\nb"}
    command = argv(["${interpreter}", "-c", code, "${args}"], params)
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert shown.strip() == repr([f"--x={params['x']}", f"--y={params['y']}"])
    assert os.path.basename(command[0]).startswith("python")


def test_which_repeat_it_is_stays_out_of_the_arguments(tmp_path):
    params = {"lr": 0.1, "__trial_index__": 1}
    for macro in ("args", "args_no_equals", "args_dict", "args_dotted", "args_override_hydra"):
        assert "__trial_index__" not in str(argv(["./t", f"${{{macro}}}"], params)), macro
    assert json.loads(argv(["./t", "${args_json}"], params)[1]) == params
