"""What an import brings along: nothing heavy before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"numpy", "pandas", "scipy", "rich", "yaml", "fsspec", "click", "multiprocessing", "asyncio", "ssl"}


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after *statement*."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_luthier_itself_imports_nothing():
    assert loaded_by("import luthier") - loaded_by("pass") <= {"luthier", "__future__"}


@pytest.mark.parametrize("statement", ["from luthier import tune", "from luthier.tune.schedulers import ASHAScheduler"])
def test_tune_is_light(statement):
    assert not loaded_by(statement) & HEAVY


def test_heavy_is_seen():
    assert "numpy" in loaded_by("import numpy") & HEAVY
