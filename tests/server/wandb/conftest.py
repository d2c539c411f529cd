"""A server that listens, with keys, and W&B's own client in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from luthier.server.auth.caller import LOCAL, Role
from luthier.server.auth.keys import Keys
from luthier.server.database import connect
from tests.server.live import listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_configure(config: pytest.Config) -> None:
    Place.python = config.getoption("--wandb") or sys.executable


def pytest_report_header() -> str:
    """Say which client the tests talk to."""
    told = subprocess.run(
        [Place.python, "-c", "import wandb; print(wandb.__version__)"], capture_output=True, text=True, check=False
    )
    return f"wandb: {told.stdout.strip() or told.stderr.strip()[-200:]} in {Place.python}"


class Place:
    """A server, a key for it, and a directory for what W&B's client leaves behind.

    Args:
        directory: for everything.
        database: URL of the server's; by default an SQLite file in *directory*.
    """

    python = sys.executable  # that has the client: ``--wandb`` names another

    def __init__(self, directory: Path, database: str = "") -> None:
        self.directory, self.url, self.port = directory, "", 0
        self.before: list[str] = []  # goes before every command
        self.started: list[subprocess.Popen[str]] = []
        self.database = database or f"sqlite:///{directory}/server.db"
        self.key = self.made_key("write", None)

    def made_key(self, role: str, project: int | None) -> str:
        from luthier.server.schema import migrate

        engine = connect(self.database)
        migrate(engine)
        key = Keys(engine).add(role, Role.of(role), project, by=LOCAL)[1]
        engine.dispose()
        return key

    def serving(self, **more: Any):
        """Give the server, on the port that it had before."""
        from contextlib import contextmanager

        @contextmanager
        def block() -> Iterator[Place]:
            with listening(self.database, self.directory / "files", self.port, auth=True, **more) as url:
                self.url, self.port = url, int(url.rpartition(":")[2])
                yield self

        return block()

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
        return {
            **kept,
            "HOME": str(self.directory),
            "PATH": f"{os.path.dirname(self.python)}{os.pathsep}{kept.get('PATH', os.defpath)}",  # agents' "python"
            "WANDB_BASE_URL": self.url,
            "WANDB_API_KEY": self.key,
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_SILENT": "false",
            "WANDB_DIR": str(self.directory),
            "WANDB_CACHE_DIR": str(self.directory / "cache"),
            "WANDB_DATA_DIR": str(self.directory / "data"),
            "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1",
            "WANDB_X_DISABLE_STATS": "true",
        }

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*self.before, self.python, *arguments],
            cwd=self.directory,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        """End what is still there."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            if not process.stdout.closed:
                print(process.communicate()[0])

    def script(self, text: str, *arguments: str, **environment: str) -> str:
        """Run a script of that *text* to its end, and return what it printed."""
        path = self.directory / "script.py"
        path.write_text(text)
        return self.ended(self.start(str(path), *arguments, **environment))

    def command(self, *arguments: str, **environment: str) -> str:
        """Run ``wandb`` with *arguments*, and return what it printed."""
        return self.ended(self.start("-m", "wandb", *arguments, **environment))

    @staticmethod
    def ended(process: subprocess.Popen[str], code: int = 0) -> str:
        try:
            printed, _ = process.communicate(timeout=100)
        except subprocess.TimeoutExpired:
            process.kill()
            printed, _ = process.communicate()
            raise AssertionError(printed) from None
        assert process.returncode == code, printed
        return printed

    def get(self, path: str, **query: Any):
        """Return what REST says."""
        reply = httpx.get(f"{self.url}/api/v1{path}", params=query, headers={"Authorization": f"Bearer {self.key}"})
        assert reply.status_code == 200, reply.text
        return reply.json()

    def post(self, path: str, **json: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=json, auth=("api", self.key))

    def asked(self, operation: str, **variables: Any):
        """Return what GraphQL says."""
        return self.post("/graphql", operationName=operation, variables=variables).json()


def wait_for(condition, seconds: float = 30.0) -> None:
    """Wait until *condition* holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.1)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    with made.serving():
        yield made
        made.close()


@pytest.fixture
def tenants(database_url: str, tmp_path: Path) -> Iterator[Any]:
    """Two projects that hold the same, on one server with keys."""
    from fastapi.testclient import TestClient

    from luthier.server.app import create_app
    from tests.server.wandb.tenants import Tenants

    app = create_app(database_url, files=tmp_path / "files", auth=True)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield Tenants(client, app.state.service.engine, tmp_path / "files")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Note how each test of this directory has ended: the last of them looks at what the page promises."""
    report = yield
    if report.when == "call":
        item.outcome = report.outcome
    return report
