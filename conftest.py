"""What holds for all tests, those in docstrings too: they write nothing into the user's own directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")  # its default is TensorFlow, of which no test has need

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUTHIER_STORAGE_PATH", str(tmp_path / "storage"))
