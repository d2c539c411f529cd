"""A server for one directory, on this machine alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from luthier.core.errors import LuthierError, ServerError
from luthier.sweeps.client import Client

if TYPE_CHECKING:
    import os

FOLDER = "luthier_server"
_STARTS_S = 30.0
_LOOK_S = 0.02
_TAIL = 2000


def private_server(folder: str | os.PathLike[str] | None = None) -> str:
    """Return the URL of a server on the loopback device whose database is below *folder* (the current directory).

    One that is there already is used; else one is started.  It goes on when this process ends, and stderr says how to
    stop it.

    Raises:
        LuthierError: it does not come up; the text has its last words.
    """
    place = Path(folder or ".").absolute() / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    ready, log = place / "ready.json", place / "server.log"
    found = _running(ready)
    if found is not None:
        return found
    ready.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "luthier", "server", "--host", "127.0.0.1", "--port", "0",
        "--database-url", f"sqlite:///{place / 'luthier.db'}", "--files", str(place / "files"), "--no-auth",
        "--ready-file", str(ready),
    ]  # fmt: skip
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 (our own interpreter)
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    end = time.monotonic() + _STARTS_S
    while time.monotonic() < end and process.poll() is None:
        found = _url(ready)
        if found is not None:
            sys.stderr.write(f"luthier: a private server is at {found}; it stays: kill {process.pid} stops it\n")
            process.returncode = 0  # it is nobody's child to wait for: no warning when this object goes
            return found
        time.sleep(_LOOK_S)
    if process.poll() is None:
        process.kill()
        process.wait()
    with log.open("rb") as output:
        output.seek(max(0, log.stat().st_size - _TAIL))
        words = output.read().decode("utf-8", "replace").strip()
    raise LuthierError(f"a private server cannot be started (exit code {process.returncode}):\n{words}")


def _running(ready: Path) -> str | None:
    found = _url(ready)
    if found is None:
        return None
    try:
        with Client(found, patience_s=0.0, timeout_s=5.0) as client:
            client.sweeps()
    except ServerError:
        return None
    return found


def _url(ready: Path) -> str | None:
    try:
        return str(json.loads(ready.read_text("utf-8"))["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
