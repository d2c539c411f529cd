"""``luthier.sweep(...)``: make a sweep on a server."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.sweeps.client import Client
from luthier.sweeps.private_server import private_server

_WANTED = "the path of a YAML file, a dict, or what luthier.sweeps.config made"


def sweep(
    config: Any,
    *,
    project: str | None = None,
    name: str | None = None,
    server: str | None = None,
    key: str | None = None,
    local: bool = False,
) -> str:
    """Make a sweep; return its id, for :func:`luthier.agent`.  No run starts before an agent comes.

    Args:
        config: the path of a YAML file, a dict with the same words, or what ``luthier.sweeps.config`` made.
        project: where it belongs, if the config does not say.
        name: what people call it, if the config does not say.
        server: the server's URL; ``LUTHIER_SERVER`` where None.
        key: the API key; ``LUTHIER_API_KEY``, or what ``luthier login`` has kept, where None.
        local: start a private server, on this machine alone, with its database in the current directory; also where
            the config says ``controller: {type: local}`` and no server is given.

    Raises:
        BadArgument: *config* cannot be read.
        ServerError: the server cannot be reached, or refuses the config; the text says which line and why.
    """
    text = config_text(config)
    if local or (_asks_for_local(text) and not server and not os.environ.get("LUTHIER_SERVER")):
        if local and server:
            raise BadArgument("local", local, "either local=True or server=...", "a server is given, too")
        server = private_server()
        os.environ["LUTHIER_SERVER"] = server  # for luthier.agent in this process, and programs that it starts
    with Client(server, key) as client:
        made = client.create_sweep(text, project=project, name=name)
        for warning in made.get("warnings") or ():
            sys.stderr.write(f"luthier: {warning}\n")
        found = str(made["sweep"])
        sys.stderr.write(f"luthier: sweep {found}: {made.get('url') or client.server}\n")
        where = f" --server {client.server}" if server else ""
        sys.stderr.write(f"luthier: its runs start with: luthier agent {found}{where}\n")
    return found


def config_text(config: Any) -> str:
    r"""Return *config* as the text of a YAML file.

    Raises:
        BadArgument: it is no config, or the file cannot be read.

    >>> config_text({"method": "random"})
    'method: random\n'
    """
    if isinstance(config, os.PathLike) or (isinstance(config, str) and _is_path(config)):
        try:
            with open(config, encoding="utf-8") as file:
                return file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise BadArgument("config", os.fspath(config), _WANTED, str(error)) from None
    if isinstance(config, str):
        return config
    if isinstance(config, Mapping):
        import yaml

        if type(config) is not dict and type(config).__str__ is not dict.__str__ and hasattr(config, "save"):
            return str(config)  # a builder's: it writes itself
        try:
            return str(yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True))
        except yaml.YAMLError as error:
            raise BadArgument("config", config, _WANTED, str(error)) from None
    raise BadArgumentType("config", config, _WANTED)


def _is_path(text: str) -> bool:
    return "\n" not in text and (":" not in text or os.path.isfile(text))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    return value


def _asks_for_local(text: str) -> bool:
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return False  # the server says what is wrong with it
    controller = found.get("controller") if isinstance(found, dict) else None
    return isinstance(controller, dict) and controller.get("type") == "local"
