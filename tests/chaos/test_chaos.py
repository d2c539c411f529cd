"""Whatever is killed, whenever: every sweep ends with exact counts, no run is lost and none is doubled."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import pytest

from tests.chaos.turmoil import Round

AT_ONCE = 2


@pytest.fixture
def database(cluster, sqlite_template, postgres_template):
    """Return what makes a new database, with its tables."""
    lock = Lock()

    def make(kind, folder):
        if kind == "sqlite":
            return f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'server.db')}"
        with lock:
            return cluster.url(cluster.create(postgres_template))

    return make


@pytest.mark.timeout(7200)
def test_sweeps_survive_chaos(request, tmp_path, database):
    rounds = request.config.getoption("--chaos")
    seed = request.config.getoption("--seed")
    seed = random.randrange(1 << 32) if seed is None else seed
    first = request.config.getoption("--first-round")
    print(f"repeat with --seed {seed} --chaos {rounds}")

    def one(number):
        folder = tmp_path / f"round_{number}"
        folder.mkdir()
        turmoil = Round(seed, number, folder, database)
        try:
            return turmoil.run()
        except BaseException as error:
            past = ", ".join(turmoil.past)
            error.add_note(f"round {number} of --seed {seed}: {turmoil.options}, left in {folder}; {past}")
            raise
        finally:
            print(number, turmoil.options, dict(turmoil.counts), turmoil.past, flush=True)

    totals: Counter[str] = Counter()
    errors = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number, done in [(n, pool.submit(one, n)) for n in range(first, first + rounds)]:
            try:
                totals += done.result()
            except Exception as error:
                errors.append(error)
            else:
                shutil.rmtree(tmp_path / f"round_{number}")
    print(f"{len(errors)} rounds of {rounds} failed;", ", ".join(f"{n} {what}" for what, n in totals.most_common()))
    if errors:
        raise ExceptionGroup(f"{len(errors)} of {rounds} rounds failed", errors)
    assert totals["attempts"] > totals["runs"] or rounds < 10  # in a few rounds, nothing may have been lost
