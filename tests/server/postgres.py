"""A private PostgreSQL in a temporary directory: it listens on a Unix socket there, and ends with this process."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Mapping

# Durable it need not be: it lives as long as the tests do.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "16MB",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
MISSING = (
    "The tests of the server need PostgreSQL's programs (initdb, postgres), which are not there: install them "
    "(`apt-get install postgresql`, `dnf install postgresql-server`, `brew install postgresql`), or put their "
    "directory on PATH."
)


def binaries() -> Path:
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) + sorted(glob.glob("/usr/pgsql-*/bin/initdb"))
    on_path = shutil.which("initdb")
    if on_path:
        found.append(os.path.realpath(on_path))
    if not found:
        raise RuntimeError(MISSING)
    return Path(found[-1]).parent


class Cluster:
    def __init__(self, settings: Mapping[str, str] = SETTINGS) -> None:
        self.settings = settings
        self.bin = binaries()
        # Not below pytest's own directory: another user must come here, and a socket's path may have 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="luthier-pg-"))
        self.log = self.directory / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def start(self) -> None:
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.directory, *self._who())
        initdb = [*self._as(), str(self.bin / "initdb"), "-D", f"{self.directory}/data", "-U", "luthier", "-A", "trust"]
        subprocess.run(
            [*initdb, "--no-sync", "-E", "UTF8", "--locale", "C"], check=True, stdout=subprocess.DEVNULL, cwd="/"
        )
        settings = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *self._as(),
                    str(self.bin / "postgres"),
                    "-D",
                    f"{self.directory}/data",
                    "-k",
                    self.directory,
                    *settings,
                ],
                stdout=log,
                stderr=log,
                cwd="/",
            )
        for _ in range(600):
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL does not start: {self.log.read_text()}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate() if os.name == "nt" else self.process.send_signal(3)  # SIGQUIT: at once
            self.process.wait(30)
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql://luthier@/{database}?host={self.directory}"

    def create(self, template: str = "template0") -> str:
        self._databases += 1
        name = f"t{self._databases}"
        self.do(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def drop(self, name: str) -> None:
        self.do(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def do(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _who(self) -> tuple[str, str]:
        import pwd

        names = {user.pw_name for user in pwd.getpwall()}
        return ("postgres", "postgres") if "postgres" in names else ("nobody", "nogroup")

    def _as(self) -> list[str]:
        ends_with_us = ["--pdeathsig", "QUIT"] if shutil.which("setpriv") else []
        if os.geteuid() != 0:
            return ["setpriv", *ends_with_us] if ends_with_us else []
        user, group = self._who()
        return ["setpriv", "--reuid", user, "--regid", group, "--clear-groups", *ends_with_us]
