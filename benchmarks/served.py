"""A server in a process of its own, watched; and databases for it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import psutil

from benchmarks import ROOT
from benchmarks.measure import environment, scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASES = ("sqlite", "postgresql")
CODE = """
import pathlib, sys, uvicorn
from luthier.server.app import create_app
url, folder, port = sys.argv[1:]
uvicorn.run(create_app(url, files=pathlib.Path(folder)), port=int(port), log_level="warning", access_log=False)
"""
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "autovacuum": "on"}


class Served:
    """A server that runs.

    Attributes:
        port: where it listens, on the loopback device.
        url: of its database.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        folder = tempfile.mkdtemp(dir=scratch())
        command = [sys.executable, "-c", CODE, url, folder, str(self.port)]
        self._child = subprocess.Popen(command, env=environment(), cwd=ROOT)
        self._seen = psutil.Process(self._child.pid)
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                if self._child.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def rss_mb(self) -> float:
        """Return how much memory it has now."""
        return float(self._seen.memory_info().rss / 2**20)

    def cpu_s(self) -> float:
        """Return the CPU time that it took so far."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    def database_cpu_s(self) -> float:
        """Return the CPU time that PostgreSQL took so far; SQLite's is the server's own."""
        first = _postgres(self.url)
        taken = 0.0
        for process in () if first is None else (first, *first.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                taken += times.user + times.system + times.children_user + times.children_system
        return taken

    def stop(self) -> None:
        """End it."""
        self._child.terminate()
        self._child.wait(30)


def _postgres(url: str) -> psutil.Process | None:
    """Return the first process of the PostgreSQL that :func:`database` started; None for SQLite."""
    _, _, directory = url.partition("?host=")
    if not directory:
        return None
    with open(f"{directory}/data/postmaster.pid", encoding="ascii") as f:
        return psutil.Process(int(f.readline()))


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    """Give the URL of a new database; PostgreSQL's waits for the disk at each commit, as it does where it matters."""
    if kind == "sqlite":
        yield f"sqlite:///{tempfile.mkdtemp(dir=scratch())}/server.db"
        return
    from tests.server.postgres import SETTINGS, Cluster

    cluster = Cluster({**SETTINGS, **DURABLE, "shared_buffers": "128MB"})
    try:
        cluster.start()
        yield cluster.url(cluster.create())
    finally:
        cluster.stop()


@contextlib.contextmanager
def served(kind: str) -> Iterator[Served]:
    """Give a server over a new database of that *kind*."""
    with database(kind) as url:
        found = Served(url)
        try:
            yield found
        finally:
            found.stop()


def has(kind: str) -> bool:
    """Return whether a database of that *kind* can be had here."""
    if kind == "sqlite":
        return True
    from tests.server.postgres import binaries

    try:
        return os.path.isdir(binaries())
    except RuntimeError:
        return False
