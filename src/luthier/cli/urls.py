"""Experiments that live elsewhere."""

from __future__ import annotations

from luthier.cli.opened import Refused
from luthier.core.errors import LuthierError
from luthier.store.fetch import is_there
from luthier.store.remote import Remote


def holds_experiment(url: str) -> bool:
    """Return whether *url* is an experiment's.

    Raises:
        Refused: it cannot be reached.
    """
    remote = _remote(url)
    try:
        return is_there(remote)
    except Exception as error:
        raise _unreachable(remote, error) from error


def experiments_at(url: str) -> list[str]:
    """Return the URLs of the experiments directly below *url*.

    Raises:
        Refused: it cannot be reached.
    """
    remote = _remote(url)
    try:
        return [remote.child(name).url for name in remote.folders() if is_there(remote.child(name))]
    except FileNotFoundError:
        return []
    except Exception as error:
        raise _unreachable(remote, error) from error


def _remote(url: str) -> Remote:
    try:
        return Remote.at(url, argument="directory")
    except LuthierError as error:
        raise Refused(str(error)) from error


def _unreachable(remote: Remote, error: Exception) -> Refused:
    return Refused(f"{remote.url} cannot be read: {type(error).__name__}: {error}")
