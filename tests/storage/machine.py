"""A driver on a machine of its own: ``machine.py HOST begin|restore URL STEPS PAUSE``."""

from __future__ import annotations

import logging
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from luthier import tune
from tests.storage.trainings import stepping, tuner

if __name__ == "__main__":
    host, what, url, steps, pause = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    socket.gethostname = lambda: host
    if what == "begin":
        made = tuner(url, steps=int(steps), pause=float(pause))
    else:
        made = tune.Tuner.restore(f"{url}/run", stepping)
    try:
        made.fit()
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        print("results", [len(result.metrics_dataframe) for result in made.get_results()], flush=True)
        sys.exit(3)
