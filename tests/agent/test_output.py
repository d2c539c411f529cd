"""What programs print, and how they end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.endings import ending, tail_of
from luthier.agent.lease import Lease
from luthier.agent.output import Lines, Output
from luthier.agent.report_lines import metrics_in

TRACE = "Traceback (most recent call last):"


@given(st.lists(st.text(alphabet="ab\r é", max_size=8), max_size=6), st.data())
def test_lines_do_not_depend_on_how_they_come(texts, data):
    whole = "\n".join(texts).encode()
    expected = [Lines().feed(text.encode() + b"\n")[0] for text in texts[:-1]]
    lines, found, at = Lines(), [], 0
    while at < len(whole):
        size = data.draw(st.integers(1, len(whole) - at))
        found += lines.feed(whole[at : at + size])
        at += size
    assert found == expected


def test_progress_bars_collapse():
    lines = Lines()
    for i in range(1000):
        assert lines.feed(b"\r%3d%%|####" % i) == []
    assert len(lines._begun) < 100
    assert lines.feed(b"\n") == ["999%|####"]


def test_a_line_without_end_is_cut():
    lines = Lines()
    for _ in range(100):
        lines.feed(b"x" * 10_000)
    (found,) = lines.feed(b"\n")
    assert found.startswith("x" * 8192 + " [...") and "991808 bytes more" in found
    assert lines.feed(b"next\n") == ["next"]


def test_bytes_that_are_no_text_are_shown():
    assert Lines().feed(b"\xff\x00\n") == ["\ufffd\ufffd"]


def test_little_is_passed_on_at_once():
    passed: list[tuple[float, str, str]] = []
    output = Output(passed.extend)
    output.add("out", ["a", "b"])
    output.flush()
    assert [(stream, text) for _, stream, text in passed] == [("out", "a"), ("out", "b")] and output.dropped == 0


def test_the_latest_of_much_is_kept():
    passed: list[tuple[float, str, str]] = []
    output = Output(passed.extend)
    for i in range(50_000):
        output.add("out", [f"{i:06d}" + "x" * 94])
    head = len(passed)
    assert 7000 < head < 9000
    output.flush()
    texts = [text for _, _, text in passed]
    assert texts[head].startswith(f"[luthier: {output.dropped} lines") and texts[-1].startswith("049999")
    assert head + output.dropped + len(texts) - head - 1 == 50_000


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("loss=0.5", {"loss": 0.5}),
        ("  val/loss = -1e-3 ; step=12", {"val/loss": -1e-3, "step": 12}),
        ("a=1,b=.5", {"a": 1, "b": 0.5}),
        ("x=inf", {"x": float("inf")}),
        ("loss=0.5 best", {}),
        ("epoch 3: loss=0.5", {}),
        ("--lr=0.5", {}),
        ("name=hello", {}),
        ("loss=0.5e", {}),
        ("", {}),
    ],
)
def test_lines_of_metrics(line, found):
    assert metrics_in(line) == found


def test_how_it_ended():
    assert ending(0, None, "", [], []) == ("finished", "")
    assert ending(0, "halted", "", ["noise"], []) == ("halted", "")
    assert ending(1, None, "", ["a", TRACE, "  File", "E: x"], ["p"])[1] == f"{TRACE}\n  File\nE: x\n(exit code 1)"
    assert ending(2, None, "told", ["other"], []) == ("failed", "told\n(exit code 2)")
    assert ending(1, None, "", [], []) == ("failed", "(exit code 1)")
    assert ending(None, None, "", [], [])[1].startswith("(its processes were killed")


def test_a_chain_of_tracebacks_is_one_story():
    during = "During handling of the above exception, another exception occurred:"
    lines = ["noise", TRACE, "E: first", "", during, "", TRACE, "E: second"]
    assert tail_of(lines) == "\n".join(lines[1:])
    assert tail_of([TRACE, "E: old", "noise", TRACE, "E: new"]) == f"{TRACE}\nE: new"


def test_a_lease_is_counted_from_the_question():
    lease = Lease(30.0, 100.0)
    assert not lease.expiring(119.0) and lease.expiring(120.0)
    lease.renew(110.0)
    lease.renew(105.0)  # an answer that was overtaken
    assert not lease.expiring(129.0) and lease.expiring(130.0)
    assert lease.grace(130.0) == 7.0 and lease.grace(150.0) == 0.0
