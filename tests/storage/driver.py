"""A script to be killed: two trials that save themselves, in an experiment that lives elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.storage.trainings import tuner

if __name__ == "__main__":
    tuner(sys.argv[1], steps=int(sys.argv[2]), pause=float(sys.argv[3])).fit()
