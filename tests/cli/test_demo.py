"""The demo: a real classifier, a few trials of it, from the command to the test accuracy."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from click.testing import CliRunner

from luthier.cli import demo as module
from luthier.cli.commands import luthier


def test_demo(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "luthier.cli.main", "demo", "--trials", "6", "--storage-path", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "error::DeprecationWarning:luthier"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("6 trials, random search, ")
    accuracy = re.findall(r"(?m)^Test accuracy .*: +([\d.]+)$", done.stdout)
    assert len(accuracy) == 2
    assert float(accuracy[0]) > 0.9
    assert "6 trials in" in done.stdout.splitlines()[-1]
    [directory] = tmp_path.iterdir()
    shown = CliRunner().invoke(luthier, ["show", str(directory)]).output
    assert "finished, 6 trials" in shown
    assert f"luthier show {directory}" in done.stdout


def test_demo_without_sklearn(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    result = CliRunner().invoke(luthier, ["demo"])
    assert result.exit_code == 2
    assert result.output == "Error: the demo needs scikit-learn: pip install 'luthier[sklearn]'\n"


def test_demo_refuses_nonsense():
    assert CliRunner().invoke(luthier, ["demo", "--trials", "0"]).exit_code == 2
