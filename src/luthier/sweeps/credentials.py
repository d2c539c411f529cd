"""Keys of servers, kept in a file that nobody but its owner can read."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from luthier.core.errors import BadArgument, LuthierError


def path() -> Path:
    """Return where the keys are: ``~/.config/luthier/credentials``, or as ``XDG_CONFIG_HOME`` says."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(home) / "luthier" / "credentials"


def key_for(server: str) -> str | None:
    """Return the key that ``luthier login`` has kept for *server*; None where there is none.

    Raises:
        LuthierError: others can read the file, or it is damaged.
    """
    return _read().get(server.rstrip("/"))


def servers() -> list[str]:
    """Return the servers that a key is kept for, the latest last."""
    return list(_read())


def keep(server: str, key: str) -> Path:
    """Keep *key* for *server*; return where.

    Raises:
        BadArgument: the key is empty, or has white space or control characters in it.
    """
    check(key)
    try:
        kept = _read()
    except json.JSONDecodeError:
        kept = {}
    kept.pop(server.rstrip("/"), None)
    kept[server.rstrip("/")] = key
    place = path()
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = place.with_name(f"{place.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(kept, file, indent=1)
    draft.replace(place)
    return place


def check(key: object) -> None:
    """See that *key* can be one.

    Raises:
        BadArgument: it is empty, or has white space or odd characters in it; it is not repeated.

    >>> check("a b")
    Traceback (most recent call last):
        ...
    luthier.core.errors.BadArgument: key='...' cannot be used: it is empty, or has white space or odd characters ...
    """
    fine = isinstance(key, str) and key.isascii() and key.isprintable() and key and " " not in key
    if not fine:
        why = "it is empty, or has white space or odd characters in it"
        raise BadArgument("key", "...", "the key as the server has shown it", why)


def _read() -> dict[str, str]:
    place = path()
    try:
        with place.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise LuthierError(f"others can read the keys in {place}: chmod 600 {place}")
            kept = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LuthierError(f"{place} cannot be read ({error}): delete it and use luthier login") from error
    return {str(k): str(v) for k, v in kept.items()} if isinstance(kept, dict) else {}
