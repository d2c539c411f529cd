from __future__ import annotations

import pytest


def pytest_addoption(parser):
    parser.addoption("--rounds", type=int, default=3, help="how often the crash tests kill the driver")


@pytest.fixture(autouse=True)
def _storage(tmp_path, monkeypatch):
    """No test, and no doctest, writes into the user's directory."""
    monkeypatch.setenv("LUTHIER_STORAGE_PATH", str(tmp_path / "storage"))
