"""From a sweep's command, with its macros, to what an agent executes; no shell is ever involved."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from luthier.core.errors import BadArgument
from luthier.search.repeat import TRIAL_INDEX
from luthier.sweeps.checking import near
from luthier.sweeps.spec import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

# What stands alone, and may be any number of arguments.
LISTS: Final = (
    "env",
    "args",
    "args_no_hyphens",
    "args_no_equals",
    "args_no_boolean_flags",
    "args_append_hydra",
    "args_override_hydra",
    "args_dict",
    "args_dotted",
)
WORDS: Final = ("interpreter", "program", "args_json", "args_json_file")  # one argument, or a part of one

_ALONE = re.compile(r"\$\{([^{}]*)\}")
_INSIDE = re.compile(r"\$\{(?:envvar:([A-Za-z0-9_]*)|(" + "|".join(WORDS) + r"))\}")
_LIST_INSIDE = re.compile(r"\$\{(" + "|".join(LISTS) + r")\}")
_ENVVAR = re.compile(r"envvar:[A-Za-z0-9_]+")


def argv(
    command: Sequence[object] | None,
    params: Mapping[str, Any],
    *,
    program: str | None = None,
    json_file: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
    interpreter: str | None = None,
) -> list[str]:
    """Return the arguments to execute for a run.

    Args:
        command: items, some of which are macros; W&B's default where None or empty.
        params: the run's parameters.
        program: the script, for ``${program}``.
        json_file: where ``${args_json_file}`` goes; written where the command asks for it.
        environment: what ``${envvar:NAME}`` looks into; this process's where None.  Who is not there stands for its
            own name.
        interpreter: for ``${interpreter}``; this process's own where None.

    Raises:
        BadArgument: there is no such macro, or nothing to put in its place.

    >>> argv(["python", "${program}", "${args}"], {"lr": 0.1, "amp": True}, program="train.py")
    ['python', 'train.py', '--lr=0.1', '--amp=True']
    >>> argv(["./t", "${args_no_boolean_flags}", "--all=${args_json}"], {"lr": 0.1, "amp": True})
    ['./t', '--lr=0.1', '--amp', '--all={"lr": 0.1, "amp": true}']
    """
    items = [str(item) for item in command or COMMAND]
    for place, flaw in flaws(items):
        raise BadArgument(f"command[{place}]", items[place], flaw)
    words = _Words(params, program, json_file, interpreter)
    arguments = {name: value for name, value in params.items() if name != TRIAL_INDEX}  # no parser expects that one
    around = os.environ if environment is None else environment
    found: list[str] = []
    for item in items:
        alone = _ALONE.fullmatch(item)
        if alone and alone[1] in LISTS:
            found += _list(alone[1], arguments)
        else:
            found.append(_INSIDE.sub(lambda match: words.word(match, around), item))
    if not found:
        raise BadArgument("command", items, "something to execute")
    return found


def flaws(command: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield which items of *command* cannot be used (their places), and what would do.

    Text around what looks like a macro is left alone: ``bash -c "echo ${HOME}"`` is for the shell.

    >>> list(flaws(["${interpreter}", "${arg}"]))
    [(1, '${args}, which is a macro')]
    """
    for place, item in enumerate(command):
        alone = _ALONE.fullmatch(item)
        if alone is None:
            inside = _LIST_INSIDE.search(item)
            if inside:
                yield place, f"{inside[0]} as an item of its own: it may be several arguments, or none"
        elif alone[1] not in LISTS and alone[1] not in WORDS and not _ENVVAR.fullmatch(alone[1]):
            yield place, _instead(alone[1])


def _instead(name: str) -> str:
    if name.startswith("envvar:"):
        return "${envvar:NAME}, with a name of letters, digits and '_'"
    close = near(name, (*LISTS, *WORDS))
    if close:
        return f"${{{close}}}, which is a macro"
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.isupper():
        return f"${{envvar:{name}}}, if a variable of the environment is meant"
    return f"one of the macros {', '.join(f'${{{known}}}' for known in (*LISTS, *WORDS))}, ${{envvar:NAME}}"


class _Words:
    """What stands for one argument."""

    def __init__(
        self,
        params: Mapping[str, Any],
        program: str | None,
        json_file: str | os.PathLike[str] | None,
        interpreter: str | None,
    ) -> None:
        self.params, self.program, self.json_file = params, program, json_file
        self.interpreter = interpreter or sys.executable or "python"

    def word(self, match: re.Match[str], environment: Mapping[str, str]) -> str:
        """Return what stands in place of *match*."""
        if match[1] is not None:
            return environment.get(match[1], match[1])
        return str(getattr(self, f"_{match[2]}")())

    def _interpreter(self) -> str:
        return self.interpreter

    def _program(self) -> str:
        if not self.program:
            wanted = "the script that trains (or the agent a function)"
            raise BadArgument("program", self.program, wanted, "the command has ${program} in it")
        return self.program

    def _args_json(self) -> str:
        return json.dumps(dict(self.params), default=str)

    def _args_json_file(self) -> str:
        if self.json_file is None:
            raise BadArgument("json_file", None, "the path of a file", "the command has ${args_json_file} in it")
        with open(self.json_file, "w", encoding="utf-8") as file:
            file.write(self._args_json())
        return os.fspath(self.json_file)


def _list(macro: str, params: Mapping[str, Any]) -> list[str]:
    """Return the arguments that *macro* stands for; values are spelled as Python's ``str`` does."""
    if macro == "env":
        return [] if os.name == "nt" else ["/usr/bin/env"]
    if macro == "args_dict":
        return list(params)  # the names alone, as W&B's agent does
    return [part for name, value in params.items() for part in _ARGUMENTS[macro](name, value)]


_ARGUMENTS: Mapping[str, Callable[[str, Any], Sequence[str]]] = {
    "args": lambda name, value: [f"--{name}={value}"],
    "args_no_hyphens": lambda name, value: [f"{name}={value}"],
    "args_no_equals": lambda name, value: [f"--{name}", str(value)],
    "args_no_boolean_flags": lambda name, value: (
        ([f"--{name}"] if value else []) if isinstance(value, bool) else [f"--{name}={value}"]
    ),
    "args_append_hydra": lambda name, value: [f"+{name}={value}"],
    "args_override_hydra": lambda name, value: [f"++{name}={value}"],
    "args_dotted": lambda name, value: [f"--{path}={inner}" for path, inner in _dotted(name, value)],
}


def _dotted(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict) or not value:
        yield name, value
        return
    for key, inner in value.items():
        yield from _dotted(f"{name}.{key}", inner)
