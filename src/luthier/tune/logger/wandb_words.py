"""What users say of W&B, checked before anything starts; their API key never comes to lie on a disk."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from luthier.callbacks.wandb.job import key_in
from luthier.core.errors import BadArgument, BadArgumentType

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "WANDB_API_KEY"  # the client's environment variable
MODES = ("online", "offline", "disabled", "shared", "run", "dryrun")  # the client's
_KEY_LIKE = re.compile(r"(\w+-)?[A-Za-z0-9_-]{40,}")
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
    if not isinstance(api_key_file, str | os.PathLike):
        raise BadArgumentType("api_key_file", api_key_file, "the path of a file that holds an API key")
    if _KEY_LIKE.fullmatch(str(api_key_file)) and not os.path.exists(api_key_file):  # not to be shown
        raise BadArgument("api_key_file", "...", "it as api_key, or the path of a file that holds it", "it is a key")
    try:
        key = key_in(os.path.expanduser(os.fspath(api_key_file)))
    except (OSError, UnicodeError) as error:
        why = "it is no text" if isinstance(error, UnicodeError) else str(error.strerror or error)
        raise BadArgument("api_key_file", api_key_file, "a file that holds an API key", why) from error
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
            param_space = _without(param_space, (*place, "settings", "api_key"), found)
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
    if name == "settings":
        bare, key = keyless(inner)
        if key is not None:
            found[KEY] = key
        return {**given, name: bare}
    return {**given, name: _without(inner, tuple(rest), found)} if isinstance(inner, dict) else given


def keyless(settings: Any) -> tuple[Any, str | None]:
    """Return *settings* of the client's, a dict or its object, without the API key, and the key.

    >>> keyless({"silent": True, "api_key": "secret"})
    ({'silent': True}, 'secret')
    """
    if isinstance(settings, dict):
        key = settings.get("api_key")
        bare = {name: value for name, value in settings.items() if name != "api_key"}
    else:
        key = getattr(settings, "api_key", None)
        bare = settings if key is None else settings.model_copy(update={"api_key": None})
    return bare, key_of(key, None) or None


def must_travel(words: Mapping[str, Any]) -> None:
    """See to it that the process that tells W&B can be given *words*: arguments, by name.

    Raises:
        BadArgument: one cannot be pickled.

    >>> must_travel({"tags": ["first"]})
    """
    import cloudpickle

    for name, value in words.items():
        try:
            cloudpickle.dumps(value)
        except Exception as error:  # (whatever somebody's object raises)
            why = f"another process tells W&B, and it cannot be sent there: {type(error).__name__}: {error}"
            raise BadArgument(name, value, "what can be pickled", why) from error


def project_of(project: object) -> str | None:
    """Return the name of the project: what is given, or what the environment says.

    Raises:
        BadArgumentType: it is no text.
    """
    if project is not None and not isinstance(project, str):
        raise BadArgumentType("project", project, "the name of a project")
    return project or os.environ.get("WANDB_PROJECT_NAME") or os.environ.get("WANDB_PROJECT") or None
