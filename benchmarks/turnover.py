"""A real agent (``luthier agent``) on runs that take no time: ``python -m benchmarks.turnover PORT RUNS``.

It prints one line of JSON: the milliseconds from the last thing that one run's program did to the first of the next.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from luthier.sweeps.client import Client

PROGRAM = 'date +%s%N >> "$1"; sleep 0.05; date +%s%N >> "$1"'  # its first and its last deed


def main() -> None:
    port, runs = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        marks = Path(folder) / "marks"
        server = f"http://127.0.0.1:{port}"
        config = (
            f"method: random\nmetric: {{name: m0}}\nrun_cap: {runs}\nparameters: {{x: {{min: 0.0, max: 1.0}}}}\n"
            f"command: [sh, -c, {json.dumps(PROGRAM)}, sh, {marks}]\n"
        )
        with Client(server) as client:
            sweep = client.create_sweep(config)["sweep"]
        agent = [sys.executable, "-m", "luthier", "agent", sweep, "--server", server, "--gpus", "none", "--quiet"]
        subprocess.run(agent, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        at = [int(line) / 1e6 for line in marks.read_text().split()]
    assert len(at) == 2 * int(runs), f"{len(at)} marks of {runs} runs"
    gaps = sorted(begin - end for end, begin in zip(at[1::2], at[2::2], strict=False))
    found = {"p50_ms": statistics.median(gaps), "p95_ms": gaps[int(len(gaps) * 0.95)], "max_ms": gaps[-1]}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
