from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BURN = "import time; x = b'x' * (60 << 20)\nwhile time.process_time() < 0.3: pass"
# Burns in a grandchild that the child waits for, and in one that outlives the child.
TREE = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BURN!r}], check=True)
subprocess.Popen([sys.executable, "-c", {BURN!r}], start_new_session=True)
print("the last line")
"""


def gauged(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.gauge", *arguments]
    found: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout
    )
    return found


def test_the_cpu_time_of_all_descendants_counts() -> None:
    found = gauged(sys.executable, "-c", TREE)
    assert found["cpu_waited_s"] >= 0.6
    assert found["cpu_s"] >= found["cpu_waited_s"]
    assert (found["said"], found["left"]) == ("the last line", 0)


def test_the_memory_of_all_descendants_counts() -> None:
    found = gauged("--memory", sys.executable, "-c", TREE)
    assert found["rss_mb"] > 60
    assert 0 < found["pss_mb"] <= found["rss_mb"] or sys.platform != "linux"
    assert found["processes"] >= 2


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(subprocess.CalledProcessError) as raised:
        gauged(sys.executable, "-c", "raise SystemExit('no such thing')")
    assert "no such thing" in raised.value.stderr
