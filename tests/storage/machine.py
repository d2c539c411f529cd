"""A driver on a machine of its own: ``machine.py HOST begin|restore URL STEPS PAUSE``; its staging is $LUTHIER_STAGING."""

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
    socket.gethostname = lambda: host  # type: ignore[assignment]
    if what == "begin":
        made = tuner(url, steps=int(steps), pause=float(pause))
    else:
        made = tune.Tuner.restore(f"{url}/run", stepping)
    try:
        made.fit()
    except Exception as error:  # noqa: BLE001 (told in one line)
        print(f"{type(error).__name__}: {error}", flush=True)
        print("results", [len(result.metrics_dataframe) for result in made.get_results()], flush=True)
        sys.exit(3)
