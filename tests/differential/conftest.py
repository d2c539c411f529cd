"""Where the cases come from: what is recorded, and with ``--peers`` also what Ray says now."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from tests.differential.recording import CASES, SEED

HERE = Path(__file__).parent


def played(python, name, *, cases, seed):
    """Return what the script of *name* prints under *python*, which has Ray."""
    command = [python, "-m", f"tests.differential.{name}_ray", "--cases", str(cases), "--seed", str(seed)]
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONWARNINGS": "ignore"}
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | quiet
    done = subprocess.run(command, check=False, cwd=HERE.parents[1], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout[done.stdout.index('{"script"') :])


@pytest.fixture(scope="session")
def recorded(request):
    """Return a function: name of a scheduler -> its cases."""
    peers = request.config.getoption("--peers")
    seed = request.config.getoption("--seed")
    more = request.config.getoption("--cases")

    def cases(name):
        golden = json.loads((HERE / "golden" / f"{name}.json").read_text("utf-8"))
        if not peers:
            return golden["cases"]
        now = played(peers, name, cases=CASES, seed=SEED)
        # As text: NaN is not equal to itself.
        assert json.dumps(now) == json.dumps(golden), f"{name}: the recording is old (see README.md beside the tests)"
        own = random.SystemRandom().randrange(2**32) if seed is None else seed
        print(f"\n{name}: {more} new cases of seed {own}, Ray {now['ray']}")
        return golden["cases"] + played(peers, name, cases=more, seed=own)["cases"]

    return cases
