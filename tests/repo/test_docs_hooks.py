"""The status diagram, its table and the reference say what the code says."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from luthier.core.status import TRANSITIONS
from luthier.core.terms import Status

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def hooks():
    spec = importlib.util.spec_from_file_location("docs_hooks", ROOT / "docs" / "hooks.py")
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_hooks"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["docs_hooks"]


def test_diagram_shows_every_status_and_event(hooks):
    drawing = ET.fromstring(hooks.status_diagram())
    words = set(re.findall(r"\w+", " ".join(text.text or "" for text in drawing.iter(f"{SVG}text"))))
    assert {status.name for status in Status} | {event.__name__ for _, event in TRANSITIONS} == words


def test_diagram_has_one_arrow_per_pair_of_boxes(hooks):
    drawing = ET.fromstring(hooks.status_diagram())
    boxes, arrows = hooks.moves()
    assert len(list(drawing.iter(f"{SVG}rect"))) == len(boxes)
    assert len([path for path in drawing.iter(f"{SVG}path") if path.get("marker-end")]) == len(arrows)


def test_nothing_of_the_table_is_lost(hooks):
    boxes, arrows = hooks.moves()

    def box(status):
        return hooks.ENDED if status.final else status.name

    for (before, event), after in TRANSITIONS.items():
        labels = boxes[box(before)].notes if box(before) == box(after) else arrows[box(before), box(after)]
        assert event.__name__ in labels


def test_table_has_a_row_per_transition(hooks):
    assert len(hooks.status_table().splitlines()) == 2 + len(TRANSITIONS)


def test_pages_ask_for_them(hooks):
    page = (ROOT / "docs" / "explanation" / "core.md").read_text("utf-8")
    assert hooks.DIAGRAM in page and hooks.TABLE in page


def test_reference_names_every_public_module(hooks):
    for package in hooks.packages():
        page = hooks.reference_page(package)
        for path in (ROOT / "src" / "luthier" / package).glob("[a-z]*.py"):
            assert f"::: luthier.{package}.{path.stem}\n" in page


def test_reference_covers_every_package(hooks):
    packages = {path.parent.name for path in (ROOT / "src" / "luthier").glob("*/__init__.py")}
    assert set(hooks.packages()) == packages - {"cli"}
