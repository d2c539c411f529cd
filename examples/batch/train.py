"""The program that the sweep runs: it saves a checkpoint in each epoch, and goes on from one."""

from __future__ import annotations

import json
import os
import tempfile
import time

import luthier

run = luthier.init({"rate": 0.1, "epochs": 20, "seconds": 0.1})  # the sweep's values go before these
weight, begin = 0.0, 0
if run.restored:  # of an attempt before this one, on whatever machine it was
    with open(os.path.join(run.restored, "state.json"), encoding="utf-8") as file:
        weight, begin = json.load(file)
print(f"begins after {begin} epochs")
for epoch in range(begin + 1, run.config.epochs + 1):
    time.sleep(run.config.seconds)
    weight -= run.config.rate * 2 * (weight - 3)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "state.json"), "w", encoding="utf-8") as file:
            json.dump([weight, epoch], file)
        luthier.log({"loss": (weight - 3) ** 2, "epoch": epoch}, checkpoint=folder)
