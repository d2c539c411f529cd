"""That the marks of trials tell who ran when: what must never be is seen."""

from __future__ import annotations

import pytest

from tests.chaos.marks import check_never_twice_at_once, lives


def told(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_attempts_one_after_the_other_are_as_they_should_be(tmp_path):
    marks = told(
        tmp_path / "marks", "r1 1 10 begin 1.0", "r2 1 11 begin 1.5", "r1 1 10 at 2.0", "r2 1 11 end 3.0",
        "r1 2 12 begin 2.5", "r1 2 12 end 4.0",
    )  # fmt: skip
    assert check_never_twice_at_once(marks) == {"r1": 2, "r2": 1}
    assert [(life.pid, life.last, life.ended) for life in lives(marks)] == [
        (10, 2.0, False), (11, 3.0, True), (12, 4.0, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["r1 1 10 begin 1.0", "r1 2 12 begin 1.5", "r1 1 10 at 2.0", "r1 2 12 end 3.0"], "twice at once"),
        (["r1 1 10 begin 1.0", "r1 1 10 end 2.0", "r1 1 12 begin 2.5"], "begun twice"),
        (["r1 2 10 begin 1.0", "r1 2 10 end 2.0", "r1 1 12 begin 2.5"], "older attempt"),
    ],
)
def test_what_must_never_be_is_seen(tmp_path, lines, said):
    with pytest.raises(AssertionError, match=said):
        check_never_twice_at_once(told(tmp_path / "marks", *lines))
