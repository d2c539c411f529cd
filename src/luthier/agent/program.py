"""What an agent starts for a run: the command line, and the environment."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from luthier.execution.environment import thread_environment, threads_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PARAMS = "params.json"


def write_params(folder: Path, params: Mapping[str, Any]) -> Path:
    """Write the parameters of a run as plain JSON, for programs in any language; return the file."""
    path = folder / PARAMS
    path.write_text(json.dumps(params, indent=1, default=str) + "\n", "utf-8")
    return path


def command_line(sweep: Mapping[str, Any], params: Mapping[str, Any], json_file: Path) -> list[str]:
    """Return the program and its arguments, as the sweep's ``command`` says."""
    from luthier.sweeps.command import argv

    environ = {**os.environ, **(sweep.get("environment") or {})}
    return argv(sweep.get("command"), params, program=sweep.get("program"), json_file=json_file, environment=environ)


def function_line(call: Path) -> list[str]:
    """Return the command that calls a pickled function."""
    return [sys.executable, "-m", "luthier.agent.calling", str(call)]


def environment(
    given: Mapping[str, str], resources: Mapping[str, float], gpus: Sequence[str] | None, own: Mapping[str, str | None]
) -> dict[str, str]:
    """Return the environment of a run.

    Args:
        given: what the sweep says.
        resources: what the run holds: threads follow its ``cpu``.
        gpus: which it sees; None for what the agent itself sees.
        own: the variables of Luthier's own; None takes one away.
    """
    environ = {**os.environ, **{name: str(value) for name, value in given.items()}}
    environ.setdefault("PYTHONUNBUFFERED", "1")  # lines are shown when they are printed
    if "cpu" in resources:
        environ.update(thread_environment(threads_of(resources), environ))
    if gpus is not None:
        environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    for name, value in own.items():
        if value is None:
            environ.pop(name, None)
        else:
            environ[name] = value
    return environ
