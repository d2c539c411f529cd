from __future__ import annotations

import bdb
import pickle
import threading

import pytest

from luthier.core.errors import LuthierError
from luthier.core.terms import Outcome
from luthier.worker.failure import record_failure
from luthier.worker.session import current, report
from luthier.worker.traceback import is_ours, users_traceback
from luthier.worker.trainable import Trainable


def inner():
    raise ValueError("wrong")


def outer(config):
    try:
        inner()
    except ValueError as error:
        raise KeyError("outer") from error


def folder(tmp_path):
    return tmp_path / "experiment" / "t_0"


def test_an_error_shows_the_users_frames_and_the_chain(run, tmp_path):
    exited, _ = run(outer)
    assert exited.outcome is Outcome.ERROR
    lines = exited.error.splitlines()
    assert lines[-1] == "KeyError: 'outer'"
    assert [line.rpartition(" in ")[2] for line in lines if line.startswith("  File ")] == ["outer", "inner", "outer"]
    assert all(__file__ in line for line in lines if line.startswith("  File "))
    assert "direct cause" in exited.error
    assert current() is None


def test_errors_of_our_own_have_no_frames(run):
    exited, _ = run(lambda config: "text")
    assert exited.error.startswith("TypeError: the trainable returned 'text'")


def test_errors_in_report_show_where_it_was_called(run):
    exited, _ = run(lambda config: report([1]))  # type: ignore[arg-type]
    lines = exited.error.splitlines()
    assert [line.rpartition(" in ")[2] for line in lines if line.startswith("  File ")] == ["<lambda>"]
    assert lines[-1].startswith("luthier.core.errors.BadArgumentType: metrics=[1] cannot be used")


def test_groups_and_syntax_errors(run):
    def group(config):
        raise ExceptionGroup("many", [ValueError(1), KeyError(2)])

    def syntax(config):
        compile("x = (", "<user>", "exec")

    assert "ValueError: 1" in run(group)[0].error
    assert run(syntax)[0].error.splitlines()[-1].startswith("SyntaxError")


@pytest.mark.parametrize(
    ("code", "said"), [(0, "sys.exit(0)"), (None, "sys.exit(None)"), ("a\nb", r"sys.exit('a\nb')"), (3, "sys.exit(3)")]
)
def test_exiting(run, code, said):
    def trainable(config):
        raise SystemExit(code)

    exited, _ = run(trainable)
    assert exited.outcome is Outcome.ERROR
    assert exited.error.splitlines()[-1] == f"SystemExit: the trainable called {said}"
    assert exited.error.count("\nSystemExit") == 1


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, bdb.BdbQuit])
def test_interrupts(run, interrupt):
    cleaned = []

    def trainable(config):
        raise interrupt

    class Steps(Trainable):
        def step(self):
            raise interrupt

        def cleanup(self):
            cleaned.append(True)

    for each in (trainable, Steps):
        exited, _ = run(each)
        assert exited.outcome is Outcome.ERROR
        assert interrupt.__name__ in exited.error
        with pytest.raises(interrupt):
            run(each, interactive=True)
        assert current() is None
    assert cleaned == [True, True]


def test_what_a_failure_leaves(run, tmp_path):
    for _ in range(2):
        run(outer)
    text = (folder(tmp_path) / "error.txt").read_text()
    assert text.count("Failure # ") == 2
    assert text.startswith("Failure # 1 (occurred at 20")
    assert "\nFailure # 2 (occurred at 20" in text
    error = pickle.loads((folder(tmp_path) / "error.pkl").read_bytes())
    assert type(error) is KeyError
    assert error.args == ("outer",)
    assert error.__traceback__ is None
    assert "direct cause" in error.__notes__[0]


class TwoArguments(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")


class Nasty(Exception):
    def __reduce__(self):
        return dict, ()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TwoArguments(1, 2), "TwoArguments: 1 and 2"),
        (Nasty("x"), "Nasty: x"),
        (ValueError(threading.Lock()), "ValueError"),
    ],
)
def test_errors_that_cannot_be_pickled(run, tmp_path, error, told):
    def trainable(config):
        raise error

    exited, _ = run(trainable)
    assert told in exited.error.splitlines()[-1]
    stored = pickle.loads((folder(tmp_path) / "error.pkl").read_bytes())
    assert type(stored) is LuthierError
    assert told in str(stored)
    assert "cannot be pickled" in str(stored)


def test_an_error_of_a_class_that_is_nowhere(run, tmp_path):
    class Local(Exception):
        pass

    def trainable(config):
        raise Local("here")

    run(trainable)
    stored = pickle.loads((folder(tmp_path) / "error.pkl").read_bytes())
    assert type(stored).__name__ == "Local"


def test_a_process_that_died(tmp_path):
    record_failure(str(tmp_path), "killed by SIGKILL")
    assert str(pickle.loads((tmp_path / "error.pkl").read_bytes())) == "killed by SIGKILL"
    record_failure(str(tmp_path / "missing"), "nowhere to write")


def test_whose_frames():
    import luthier.testing.trainables as users
    from luthier.worker import session

    assert is_ours(session.__file__)
    assert not is_ours(users.__file__)
    assert not is_ours(__file__)
    assert users_traceback(ValueError("x")) == "ValueError: x\n"


def test_the_config_is_the_attempts_own(run):
    given = {"a": {"b": [1, (2, [3])]}, "s": {1}}

    def trainable(config):
        config["a"]["b"][1][1].append(4)
        config["s"].add(2)
        config["new"] = 1

    run(trainable, given)
    assert given == {"a": {"b": [1, (2, [3])]}, "s": {1}}
