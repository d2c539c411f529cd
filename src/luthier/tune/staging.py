"""Where an experiment runs that lives elsewhere: in a directory of this machine, its staging directory."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType, LuthierError, StoreFailed

if TYPE_CHECKING:
    from luthier.store.remote import Remote

ORIGIN = ".origin.json"
_known: dict[str, Remote] = {}  # by directory: what a file that tells only the URL cannot say


def is_url(path: str) -> bool:
    """Return whether *path* says how to get there, too.

    >>> is_url("s3://bucket/results"), is_url("results")
    (True, False)
    """
    return "://" in path


def staging_root() -> str:
    """Return the directory in which experiments run that live elsewhere: ``$LUTHIER_STAGING``, or the user's cache."""
    given = os.environ.get("LUTHIER_STAGING")
    if given:
        return os.path.abspath(os.path.expanduser(given))
    if os.name == "nt":
        cache = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local")
    elif sys.platform == "darwin":
        cache = os.path.expanduser("~/Library/Caches")
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "luthier", "staging")


def directory_of(remote: Remote) -> str:
    """Return the directory in which the experiment at *remote* runs on this machine: always the same one."""
    above, _, name = remote.url.rpartition("/")
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", above.replace("://", "_"))[:80]
    key = hashlib.sha256(f"{above}\n{_endpoint(remote.filesystem)}".encode()).hexdigest()[:10]
    root = _vanishing() if "memory" in remote.protocols else staging_root()
    return os.path.join(root, f"{readable}-{key}", name)


def experiment_at(path: str, filesystem: Any = None, argument: str = "path") -> Remote | str:
    """Return the folder that *path* names elsewhere, or its local path.

    Raises:
        BadArgument: *path* or *filesystem* cannot be used.
    """
    if filesystem is None and not is_url(path):
        return os.path.abspath(os.path.expanduser(path))
    from luthier.store.remote import Remote

    remote = Remote.at(path, filesystem, argument)
    return os.path.abspath(remote.root) if remote.is_local else remote


def local_of(path: str | os.PathLike[str], filesystem: Any = None, argument: str = "path") -> str:
    """Return the local directory of the experiment at *path*; one that lives elsewhere is fetched: card and log.

    Raises:
        BadArgument: *path* or *filesystem* cannot be used.
        NotAnExperiment: there is none, elsewhere.
        StoreFailed: it cannot be reached.
        Conflict: what is here and what is there do not go together.
    """
    found = experiment_at(os.fspath(path), filesystem, argument)
    if isinstance(found, str):
        return found
    directory = directory_of(found)
    bring_up_to_date(found, directory)
    remember(directory, found, given=filesystem is not None)
    return directory


def bring_up_to_date(remote: Remote, directory: str, *, locked: bool = False) -> bool:
    """Fetch what the log in *directory* lacks, as :func:`luthier.store.fetch.fetch` does; return whether it grew.

    Raises:
        StoreFailed: the remote cannot be reached.
        LuthierError: as it does.
    """
    from luthier.store.fetch import fetch

    try:
        return fetch(remote, directory, locked=locked)
    except LuthierError:
        raise
    except Exception as error:  # each file system raises errors of its own
        msg = f"{remote.url} cannot be read: {type(error).__name__}: {error}"
        raise StoreFailed(msg) from error


def can_be_found(path: str | os.PathLike[str], filesystem: Any, parts: tuple[str, ...]) -> bool:
    """Return whether the experiment at *path* has all of *parts* (names of files), here or elsewhere."""
    found = experiment_at(os.fspath(path), filesystem)
    directory = found if isinstance(found, str) else directory_of(found)
    if all(os.path.exists(os.path.join(directory, name)) for name in parts):
        return True
    return not isinstance(found, str) and all(found.exists(name) for name in parts)


def remember(directory: str, remote: Remote, *, given: bool) -> None:
    """Write down where the experiment in *directory* lives; nothing of how to get in.

    Args:
        directory: the experiment's directory on this machine.
        remote: where it lives.
        given: whether the URL alone does not tell the way.
    """
    _known[directory] = remote
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, ORIGIN)
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump({"url": remote.url, "given": given}, file)
    os.replace(f"{path}.new", path)


def remote_of(directory: str) -> Remote | None:
    """Return where the experiment in *directory* lives, if that is elsewhere.

    Raises:
        BadArgument: it was stored through a file system that nobody has given to this process.
    """
    known = _known.get(directory)
    if known is not None:
        return known
    try:
        with open(os.path.join(directory, ORIGIN), encoding="utf-8") as file:
            origin = json.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if origin["given"]:
        raise BadArgument(
            "storage_filesystem",
            None,
            "the file system that the experiment was stored with",
            f"{directory} belongs to {origin['url']}",
        )
    from luthier.store.remote import Remote

    remote = _known[directory] = Remote.at(origin["url"])
    return remote


def check_storage(storage_path: Any, storage_filesystem: Any) -> None:
    """Refuse what cannot be a storage path or file system, before anything is touched.

    Raises:
        BadArgument: one of the two cannot be used.
    """
    if storage_path is not None:
        if not isinstance(storage_path, str | os.PathLike):
            raise BadArgumentType("storage_path", storage_path, "a directory, or a URL such as s3://bucket/folder")
        if is_url(os.fspath(storage_path)):
            from luthier.store.remote import check_url

            check_url(os.fspath(storage_path))
    if storage_filesystem is not None:
        from luthier.store.remote import filesystem_of

        filesystem_of(storage_filesystem)
        if storage_path is None:
            raise BadArgument("storage_path", None, "the path that storage_filesystem is to keep experiments in")


def forget_residue(directory: str) -> None:
    """Delete what is in the directory of an experiment that never came to be, or was fetched only by half."""
    _known.pop(directory, None)
    shutil.rmtree(directory, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(directory))


def _endpoint(filesystem: Any) -> str:
    options = getattr(filesystem, "storage_options", None) or {}
    inner = options.get("client_kwargs") or {}
    return str(options.get("endpoint_url") or inner.get("endpoint_url") or "")


_roots: list[str] = []


def _vanishing() -> str:
    """Return a directory that goes when this process does, as what is in memory does."""
    if not _roots:
        _roots.append(tempfile.mkdtemp(prefix="luthier_staging_"))
        atexit.register(_remove, _roots[0], os.getpid())
    return _roots[0]


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a forked child
        shutil.rmtree(folder, ignore_errors=True)
