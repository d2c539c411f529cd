"""What users say of W&B, checked before anything starts; their API key never comes to lie on a disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from luthier.callbacks.wandb.job import key_in
from luthier.core.errors import BadArgument, BadArgumentType

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "WANDB_API_KEY"  # the client's environment variable
_PLACES = (("wandb",), ("logger_config", "wandb"))  # of what a config says to W&B


def key_of(api_key: object, api_key_file: object) -> str:
    """Return the API key that is given in one of the two ways; empty where in none.

    Raises:
        BadArgument: both are given, or the file cannot be read or is empty.
    """
    if api_key is not None and not isinstance(api_key, str):
        raise BadArgumentType("api_key", type(api_key).__name__, "a text")
    if api_key_file is None:
        return api_key or ""
    if api_key:
        raise BadArgument("api_key_file", api_key_file, "one of the two", "api_key is given, too")
    path = os.path.expanduser(os.fspath(api_key_file))  # type: ignore[call-overload]
    try:
        key = key_in(path)
    except OSError as error:
        raise BadArgument(
            "api_key_file", api_key_file, "a file that holds an API key", str(error.strerror or error)
        ) from error
    if not key:
        raise BadArgument("api_key_file", api_key_file, "a file that holds an API key", "it is empty")
    return key


def withheld(param_space: Mapping[str, Any] | None) -> tuple[Mapping[str, Any] | None, dict[str, str]]:
    """Return *param_space* without the API key in it, and the key as trials get it: in their environment.

    >>> withheld({"lr": 0.1, "wandb": {"project": "digits", "api_key": "secret"}})
    ({'lr': 0.1, 'wandb': {'project': 'digits'}}, {'WANDB_API_KEY': 'secret'})
    """
    found: dict[str, str] = {}
    if isinstance(param_space, dict):
        for place in _PLACES:
            param_space = _without(param_space, (*place, "api_key"), found)
    return param_space, found


def _without(given: dict[str, Any], path: tuple[str, ...], found: dict[str, str]) -> dict[str, Any]:
    name, *rest = path
    if name not in given:
        return given
    if not rest:
        if given[name] is not None:
            found[KEY] = key_of(given[name], None)
        return {other: value for other, value in given.items() if other != name}
    inner = given[name]
    return {**given, name: _without(inner, tuple(rest), found)} if isinstance(inner, dict) else given


def project_of(project: object) -> str | None:
    """Return the name of the project: what is given, or what the environment says.

    Raises:
        BadArgumentType: it is no text.
    """
    if project is not None and not isinstance(project, str):
        raise BadArgumentType("project", project, "the name of a project")
    return project or os.environ.get("WANDB_PROJECT_NAME") or os.environ.get("WANDB_PROJECT") or None
