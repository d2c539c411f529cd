"""Examples run on a cluster as they are."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize(("name", "says"), [("quickstart", "best config {'x': 2"), ("early_stopping", "best lr ")])
def test_example(cluster: Any, tmp_path: Path, name: str, says: str):
    own = {"RAY_ADDRESS": cluster.address, "LUTHIER_EXECUTOR": "ray", "LUTHIER_STORAGE_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")],
        env={**os.environ, **own}, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert says in done.stdout


def test_serving_the_best_checkpoint(cluster: Any, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    own = {"RAY_ADDRESS": cluster.address, "PORT": port, "LUTHIER_STORAGE_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "serve_with_ray.py")],  # Serve itself warns
        env={**os.environ, **own}, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "of 100 digits sent by HTTP it reads 9" in done.stdout.splitlines()[-1]
