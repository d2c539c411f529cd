"""Whatever is killed, whenever: the experiment goes on and ends, and nothing that was acknowledged is lost."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.crash.storm import Round

AT_ONCE = 2


@pytest.mark.timeout(3600)
def test_an_experiment_survives_the_storm(request, tmp_path):
    rounds = request.config.getoption("--rounds")
    seed = request.config.getoption("--seed")
    seed = random.randrange(1 << 32) if seed is None else seed
    first = request.config.getoption("--first-round")
    print(f"repeat with --seed {seed} --rounds {rounds}")

    def one(number):
        folder = tmp_path / f"round_{number}"
        folder.mkdir()
        storm = Round(seed, number, folder)
        try:
            return storm.run()
        except BaseException as error:
            error.add_note(f"round {number} of --seed {seed}: {storm.options} {dict(storm.counts)}, left in {folder}")
            raise
        finally:
            print(number, storm.options, dict(storm.counts), flush=True)

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
    assert totals["acknowledged"] > 0
    assert totals["restores"] > 0 or rounds < 20  # in a few rounds, all may have ended before they were struck
