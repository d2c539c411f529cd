"""luthier show --follow: told as it happens, from what was added alone."""

from __future__ import annotations

import pytest

from luthier.cli import follow
from luthier.core import events as ev
from luthier.core.terms import Outcome, Status, TrialId
from luthier.store.jsonl import JsonlStore
from tests.callbacks.story import TRACEBACK, Story
from tests.cli.test_commands import run

ONE, TWO = TrialId("x_00001"), TrialId("x_00002")


@pytest.fixture
def story(tmp_path):
    told = Story(tmp_path / "quick")
    for number in range(3):
        told.report(told.start(number), loss=3.0 - number)
    told.end("x_00000")
    told.save()
    return told


def acting(monkeypatch, *steps):
    """Let each wait of the follower do the next of *steps*."""
    waits = iter(steps)
    monkeypatch.setattr(follow, "pause", lambda seconds: next(waits)())


def test_new_lines_only(story, monkeypatch):
    store = JsonlStore(story.directory)
    count = sum(len(record.events) for record in store.read())

    def fail():
        store.append([ev.Exited(ONE, 1, Outcome.ERROR, TRACEBACK), ev.Ended(ONE, Status.FAILED)], count)

    def end():
        store.append([ev.Exited(TWO, 1, Outcome.FINISHED), ev.Ended(TWO, Status.DONE)], count + 2)

    reads: list[int] = []
    read = JsonlStore.read

    def counting(self, after=0):
        reads.append(after)
        return read(self, after)

    monkeypatch.setattr(JsonlStore, "read", counting)
    acting(monkeypatch, fail, lambda: None, end, store.close)
    lines = run("show", story.directory, "--follow").splitlines()
    failed = next(
        i for i, line in enumerate(lines) if line.startswith("f_x_00001 failed (attempt 1): ValueError: no 7")
    )
    done = next(i for i, line in enumerate(lines) if line.startswith("f_x_00002 done loss=1"))
    assert failed < done
    assert not any(line.startswith("f_x_00000") for line in lines)  # that was before
    assert any(line.startswith("Finished after") and "2 done, 1 failed" in line for line in lines)
    assert reads == [0]


def test_a_driver_that_goes_away_is_told(story, monkeypatch):
    store = JsonlStore(story.directory)
    acting(monkeypatch, store.close)
    text = run("show", story.directory, "--follow")
    assert "Interrupted after" in text
    assert "2 running, 1 done" in text


def test_what_was_written_last_is_told(story, monkeypatch):
    store = JsonlStore(story.directory)
    count = sum(len(record.events) for record in store.read())

    def last_words():
        store.append([ev.StopRequested("enough")], count)
        store.close()

    acting(monkeypatch, last_words)
    assert "Stopping: enough" in run("show", story.directory, "--follow")


def test_a_log_that_lost_a_batch_is_read_anew(story, monkeypatch):
    store = JsonlStore(story.directory)
    (segment,) = (story.directory / "events").iterdir()
    whole = segment.read_bytes()
    cut = lambda: segment.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    acting(monkeypatch, lambda: None, cut, store.close)
    assert "Interrupted after" in run("show", story.directory, "--follow")


def test_ctrl_c_ends_it_quietly(story, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    with JsonlStore(story.directory):
        acting(monkeypatch, interrupt)
        assert "Aborted" not in run("show", story.directory, "--follow")


def test_what_has_ended_is_shown_once(story):
    assert run("show", story.directory, "--follow") == run("show", story.directory)


def test_no_other_option_beside_it(story):
    assert "--follow" in run("show", story.directory, "--follow", "--json", code=2)


def test_damage_is_told(story, monkeypatch):
    (segment,) = (story.directory / "events").iterdir()

    def damage():
        with segment.open("ab") as file:
            file.write(b"{}\n{}\n")

    with JsonlStore(story.directory):
        acting(monkeypatch, damage)
        assert "CorruptLog" in run("show", story.directory, "--follow", code=2)
