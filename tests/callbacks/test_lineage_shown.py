"""The tree and the picture of a lineage, and the policy files."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree as ET

from luthier.callbacks import policy_files
from luthier.callbacks.lineage_picture import lineage_picture
from luthier.callbacks.lineage_tree import lineage_tree
from luthier.core import events as ev
from luthier.core.goal import Goal
from luthier.core.lineage import Lineage
from luthier.core.terms import Label, Ref, Then, TrialId

TIME = "training_iteration"


def story(*steps, trials=3):
    """Return events: each step is (target, source, at)."""
    log: list[Any] = [
        ev.Proposed(TrialId(f"t{n}"), n, {"lr": float(n)}, {}, Label(f"t{n}", f"t{n}", f"{n}_lr={n}"))
        for n in range(trials)
    ]
    for k, (target, source, at) in enumerate(steps):
        ref = Ref(f"{source}/{k}")
        why = {"source": source, "old": {"lr": 0}, "new": {"lr": k}, "operations": {"lr": "* 2"}}
        log.append(ev.Reported(TrialId(source), 1, k, {TIME: at, "loss": at / 8}, ref))
        log.append(ev.Reported(TrialId(target), 1, k, {TIME: at, "loss": 0.5}))
        log.append(ev.Halted(TrialId(target), 1, Then.REQUEUE, "", {"lr": float(k)}, ref, why=why))
        log.append(ev.Requeued(TrialId(target), {"lr": float(k)}, ref, {}))
    return log


PolicyFiles: Any = policy_files.PolicyFiles  # it asks for no experiment
STORY = story(("t1", "t0", 2), ("t2", "t1", 4), ("t0", "t2", 8))


def test_the_tree():
    assert lineage_tree(Lineage(STORY), "loss") == [
        "3 trials; 3 times one went on from another, by training_iteration:",
        "",
        "t0  lr=0  until 8, loss 0.5, given up",
        "└─ at 2: t1 follows  lr 0 * 2 = 0  until 4, loss 0.5",
        "   └─ at 4: t2 follows  lr 0 * 2 -> 1  until 8, loss 1",
        "      └─ at 8: t0 follows  lr 1 * 2 = 2",
        "t1  lr=1  until 2, loss 0.5, given up",
        "t2  lr=2  until 4, loss 0.5, given up",
    ]


def test_a_tree_without_lineage_and_with_strangers():
    assert lineage_tree(Lineage(story(trials=2))) == ["2 trials, and none went on from another one"]
    lines = lineage_tree(Lineage(story(("t1", "t0", 2), trials=5)))
    assert lines[-2:] == ["", "3 trials beside them that had nothing to do with any other: t2, t3, t4"]


def test_a_tree_may_be_deep():
    steps = [("t1", "t0", k) if k % 2 else ("t0", "t1", k) for k in range(1, 3000)]
    assert len(lineage_tree(Lineage(story(*steps, trials=2)))) == 2 + 2 + len(steps)


def test_the_picture_is_a_picture():
    text = lineage_picture(Lineage(STORY), 'a "name" <of> & ours')
    root = ET.fromstring(text)
    names = {"svg": "http://www.w3.org/2000/svg"}
    assert len([p for p in root.iterfind(".//svg:path", names) if p.get("class") == "handover"]) == 3
    lives = [x for x in root.iterfind("svg:line", names) if x.get("stroke-width") == "5"]
    assert len(lives) == 6 and sum("stroke-dasharray" in x.attrib for x in lives) == 3
    assert len({x.get("stroke") for x in lives if "stroke-dasharray" not in x.attrib}) == 1  # all come from t0
    assert {t.text for t in root.iterfind("svg:text", names)} >= {"t0", "t1", "t2", 'a "name" <of> & ours'}
    assert not re.search(r"(href|src|url\((?!#))", text), "it is not self-contained"
    ET.fromstring(lineage_picture(Lineage()))


def test_handovers_at_one_time_are_apart_and_the_best_is_marked():
    log = story(*((f"t{k}", "t0", 5) for k in range(1, 12)), trials=12)
    log.append(ev.Reported(TrialId("t7"), 2, 0, {TIME: 10, "loss": 0.01}))
    text = lineage_picture(Lineage(log), "many", Goal("loss", "min"))
    root = ET.fromstring(text)
    names = {"svg": "http://www.w3.org/2000/svg"}
    bends = [p.get("d").split("C")[1].split(",")[0] for p in root.iterfind(".//svg:path[@class='handover']", names)]
    assert len(bends) == 11 == len(set(bends))
    assert [t.text for t in root.iterfind(".//svg:text[@font-weight='bold']", names)] == ["t7", "0.01"]
    marks = [t.text for t in root.iterfind("svg:text", names) if t.get("fill") == "#555" and t.text.isdigit()]
    assert marks == [str(k) for k in range(11)]
    assert len(root.findall(".//svg:g[@class='legend']", names)) == 5


def read(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_files_made_anew_are_the_same(tmp_path):
    whole, again = tmp_path / "whole", tmp_path / "again"
    whole.mkdir()
    again.mkdir()
    PolicyFiles(whole).on_events(STORY, None)
    PolicyFiles(again).recall(STORY)
    assert read(whole) == read(again) and len(read(whole)) == 4
    for k in range(len(STORY)):
        PolicyFiles(again).on_events(STORY[:k], None)  # a driver that was killed anywhere
        files = PolicyFiles(again)
        files.recall(STORY[:k])
        files.on_events(STORY[k:], None)
        assert {name: len(text.splitlines()) for name, text in read(again).items()} == {
            "pbt_global.txt": 3, "pbt_policy_t0.txt": 3, "pbt_policy_t1.txt": 1, "pbt_policy_t2.txt": 2,
        }  # fmt: skip
    lines = [json.loads(line) for line in (whole / "pbt_policy_t0.txt").read_text().splitlines()]
    assert lines[-1] == ["0_lr=0", "2_lr=2", 8, 8, {"lr": 1.0}, {"lr": 2.0}]


def test_no_files_without_a_handover(tmp_path):
    files = PolicyFiles(tmp_path)
    files.recall(STORY[:3])
    files.on_events(STORY[3:5], None)
    assert read(tmp_path) == {}


def test_strange_values_are_written(tmp_path):
    log = story(("t1", "t0", 2))
    log[0] = ev.Proposed(TrialId("t0"), 0, {"f": len, "nan": float("nan"), "t": (1, 2)}, {}, Label("", "", "0"))
    PolicyFiles(tmp_path).on_events(log, None)
    old = json.loads((tmp_path / "pbt_global.txt").read_text())[4]
    assert old["t"] == [1, 2] and "len" in old["f"] and old["nan"] != old["nan"]
