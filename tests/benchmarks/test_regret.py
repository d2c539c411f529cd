"""The race of the schedulers, short: that it runs, says what it found, and comes out as it should."""

from __future__ import annotations

import json
import math
from xml.etree import ElementTree as ET

import pytest

from benchmarks.regret import __main__ as race
from benchmarks.regret.contenders import ASHA, CONTENDERS, NOBODY
from benchmarks.regret.race import GRID, Course, Run, quantile, reaching, run
from benchmarks.regret.training import HEIGHT, MISLEADING, SPACE, USUAL, R, Training, final, likeness, traits
from luthier.core.rng import rng_at

SMALL = Course(USUAL, 8, 2, 1)


def test_the_race_is_run_told_and_drawn(tmp_path, capsys):
    figures, picture = tmp_path / "figures.json", tmp_path / "picture.svg"
    race.main(["--quick", "--processes", "1", "--json", str(figures), "--picture", str(picture)])
    said = capsys.readouterr().out
    assert all(f"| {name} " in said for name in CONTENDERS) and "64 workers" in said
    assert said.rstrip().endswith(("reached", "MISSED"))
    found = {line["name"]: line for line in json.loads(figures.read_text())}
    assert found.keys() == CONTENDERS.keys()
    # ASHA has after a third of the time what those who stop nobody have at the end, or nearly.
    third, end = round(GRID / 3) - 1, GRID - 1
    assert found[ASHA]["regrets"][third] < found[NOBODY]["regrets"][third]
    assert found[ASHA]["regrets"][third] < 2 * found[NOBODY]["regrets"][end]
    root = ET.parse(picture).getroot()
    lines = root.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == len(CONTENDERS) and "http" not in picture.read_text().replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("name", sorted(CONTENDERS))
def test_the_same_world_gives_the_same_run(name):
    one, two = run(name, SMALL, 3), run(name, SMALL, 3)
    assert repr(one) == repr(two) and one.reports > 100
    assert len(one.regrets) == GRID
    assert name == "PBT" or all(r >= -1e-9 or math.isnan(r) for r in one.regrets)  # it may beat any constant config


def test_reaching_is_the_first_time_that_it_is_as_good():
    base = Run(NOBODY, SMALL, 0, [], [(0.1, 3.0), (0.9, 1.0)], 2)
    assert reaching(base, base) == 0.9
    assert reaching(base._replace(history=[(0.2, 2.0), (0.3, 0.9), (0.4, 1.5)]), base) == 0.3
    assert reaching(base._replace(history=[(0.2, 2.0)]), base) == math.inf


def test_quantiles():
    assert quantile([1.0, 2.0, 4.0], 0.5) == 2.0 and quantile([1.0, 3.0], 0.5) == 2.0
    assert quantile([1.0, math.inf, math.inf], 0.5) == math.inf


def test_a_constant_config_makes_a_power_law():
    config = SPACE.sample(rng_at(5, 0))
    has = traits(config, 0)
    training, state = Training(0), (0.0, 0.0)
    for step in range(1, R + 1):
        _, state = training.advance(config, step, state if step > 1 else None)
        wanted = has.floor + HEIGHT * (1 + has.rate * step) ** -has.alpha
        assert sum(state) == pytest.approx(wanted, rel=1e-9)
    assert final(config, USUAL) == pytest.approx(sum(state), rel=1e-9)


def test_curves_cross_and_more_so_where_they_mislead():
    usual, misleading = (likeness(kind, (1, 16), 400) for kind in (USUAL, MISLEADING))
    for early, late in (usual, misleading):
        assert 0.05 < early.crossing < 0.3 and late.crossing < early.crossing and late.kept >= early.kept
    assert misleading[0].crossing > usual[0].crossing
