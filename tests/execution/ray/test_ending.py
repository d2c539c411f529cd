"""What is said of an actor that is gone; no cluster is needed to say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ray.exceptions

from luthier.core.terms import Outcome, TrialId
from luthier.execution.ray.ending import ending
from luthier.execution.ray.hand import Hand
from luthier.worker.assignment import Assignment

if TYPE_CHECKING:
    from pathlib import Path

DIED = "class_name: Stage\nThe actor is dead because its worker process has died. Some common causes include: (1) x"


def hand(folder: Path) -> Hand:
    made = Hand(None, "node", ())
    made.assignment = Assignment(TrialId("t"), 1, 0, {}, {}, "t", "", str(folder), "e", str(folder))
    made.served = 1
    return made


def test_a_crash_is_shown_from_where_it_begins(tmp_path: Path):
    lines = [*(f"line {i}" for i in range(50)), "Fatal Python error: Segmentation fault", *("frame" for _ in range(50))]
    (tmp_path / "stderr").write_text("\n".join(lines))
    outcome, text = ending(RuntimeError(DIED), hand(tmp_path))
    assert outcome is Outcome.ERROR
    assert (
        text.startswith("the trial's process crashed: SIGSEGV, Segmentation fault. Ray says:") and "SIGKILL" not in text
    )
    assert "its worker process has died.\n" in text and "common causes" not in text
    assert text.partition("stderr:\n")[2].splitlines()[0] == "Fatal Python error: Segmentation fault"
    assert len(text.partition("stderr:\n")[2].splitlines()) == 20


def test_who_left_no_word_left_by_itself_or_was_killed(tmp_path: Path):
    (tmp_path / "stderr").write_text("all is well\n")
    outcome, text = ending(RuntimeError(DIED), hand(tmp_path))
    assert outcome is Outcome.ERROR
    assert "os._exit" in text and "SIGKILL" in text and "SIGSEGV" not in text and text.endswith("\nall is well")


def test_a_node_that_died_is_nobodys_fault(tmp_path: Path):
    outcome, text = ending(RuntimeError("The actor died because its node has died. Node Id: 7"), hand(tmp_path))
    assert outcome is Outcome.LOST and "node has died" in text


def test_an_actor_that_was_found_dead_is_nobodys_fault(tmp_path: Path):
    found = hand(tmp_path)
    found.served = 2
    assert ending(RuntimeError(DIED), found)[0] is Outcome.LOST
    found.spoke = True
    assert ending(RuntimeError(DIED), found)[0] is Outcome.ERROR


def test_an_actor_that_could_not_be_started_says_why(tmp_path: Path):
    error = ray.exceptions.RayActorError(error_msg="No module named 'mine'", actor_init_failed=True)
    outcome, text = ending(error, hand(tmp_path))
    assert outcome is Outcome.ERROR
    assert text.startswith("the trial's actor could not be started") and "No module named 'mine'" in text


def test_an_actor_whose_node_went_before_it_was_there_is_nobodys_fault(tmp_path: Path):
    never = ray.exceptions.RayActorError(error_msg="The actor never ran - it was cancelled before it started running.")
    nowhere = ray.exceptions.ActorUnschedulableError("The node specified doesn't exist any more")
    assert [ending(error, hand(tmp_path))[0] for error in (never, nowhere)] == [Outcome.LOST, Outcome.LOST]


def test_a_runtime_environment_that_cannot_be_made_is_no_killed_process(tmp_path: Path):
    outcome, text = ending(ray.exceptions.RuntimeEnvSetupError("no conda here"), hand(tmp_path))
    assert outcome is Outcome.ERROR
    assert text.startswith("Failed to set up runtime environment") and "conda" in text and "SIGKILL" not in text


def test_where_a_hand_hung_is_told():
    hung = Hand(None, "node", ())
    hung.given_up = "no report for 7 s"
    assert hung.overdue == "no report for 7 s"
    hung.stack = '  File "train.py", line 3 in f'
    assert hung.overdue.splitlines()[0] == "no report for 7 s" and hung.overdue.endswith(hung.stack)
