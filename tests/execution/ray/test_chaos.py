"""Nodes, actors and drivers die at random: the experiment ends, and each acknowledged result is there once."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.execution.ray.gale import Gale
from tests.execution.ray.outposts import Outposts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def outposts(cluster: Any) -> Iterator[Outposts]:
    made = Outposts(cluster)
    yield made
    made.close()


@pytest.mark.timeout(7200)
def test_an_experiment_survives_chaos(request: pytest.FixtureRequest, cluster: Any, outposts: Outposts, tmp_path: Path):
    rounds, first = request.config.getoption("--raychaos"), request.config.getoption("--first-round")
    seed = request.config.getoption("--seed")
    seed = random.randrange(1 << 32) if seed is None else seed
    print(f"repeat with --seed {seed} --raychaos {rounds}")
    totals: Counter[str] = Counter()
    errors = []
    for number in range(first, first + rounds):
        folder = tmp_path / f"round_{number}"
        folder.mkdir()
        gale = Gale(seed, number, folder, cluster.address, outposts)
        try:
            totals += gale.run()
        except Exception as error:
            error.add_note(f"round {number} of --seed {seed}: {gale.options} {dict(gale.counts)}, left in {folder}")
            errors.append(error)
        else:
            shutil.rmtree(folder)
        print(number, gale.options, dict(gale.counts), flush=True)
    print(f"{len(errors)} rounds of {rounds} failed;", ", ".join(f"{n} {what}" for what, n in totals.most_common()))
    if errors:
        raise ExceptionGroup(f"{len(errors)} of {rounds} rounds failed", errors)
    assert totals["acknowledged"] > 0
