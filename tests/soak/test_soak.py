from __future__ import annotations

import pytest

from tests.soak.soak import Sample, Soaked, endings, soak
from tests.soak.soaked import AT_ONCE


@pytest.mark.slow
def test_the_driver_does_not_grow_with_its_age(tmp_path):
    soaked = soak(tmp_path, trials=400, seconds=20)
    print(soaked)
    assert soaked.problems() == []
    assert max(s.processes for s in soaked.warm) <= 2 + 2 * AT_ONCE  # some may be about to end


def samples(**slopes):
    flat = {"seconds": 1.0, "kib": 40_000.0, "files": 20.0, "processes": 6.0}
    return [
        Sample(ended=n, **{name: round(start + slopes.get(name, 0) * n) for name, start in flat.items()})
        for n in range(0, 2000, 10)
    ]


def test_what_is_flat_passes():
    assert Soaked(samples(kib=1), 2000).problems() == []


@pytest.mark.parametrize(("what", "slope"), [("kib", 8), ("files", 0.003), ("processes", 0.003)])
def test_what_grows_is_noticed(what, slope):
    (problem,) = Soaked(samples(**{what: slope}), 2000).problems()
    assert "grow" in problem


def test_endings_are_counted_once(tmp_path):
    counted = endings(tmp_path)
    assert next(counted) == 0
    log = tmp_path / "events-000000000000.jsonl"
    log.write_bytes(b'{"events":[{"is":"Ended"},{"is":"Ended"}]}\n{"events":[{"is":"Ended"}')
    assert next(counted) == 2
    with log.open("ab") as file:
        file.write(b"]}\n")
    assert [next(counted), next(counted)] == [3, 3]
