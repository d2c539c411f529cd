"""A server for each test, in a directory of its own."""

from __future__ import annotations

import pytest

from tests.agent.protocol import Protocol


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Return a function that starts a server for sweeps that run a command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("LUTHIER_API_KEY", raising=False)
    opened = []

    def start(*command, **sweep):
        protocol = Protocol(list(command), **sweep)
        opened.append(protocol)
        monkeypatch.setenv("LUTHIER_SERVER", protocol.url)
        return protocol

    yield start
    for protocol in opened:
        protocol.close()
