"""What a person sees: the same facts in a terminal, in lines and in a notebook, whatever strings trials bring along."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console as RichConsole

from luthier.callbacks.board import Board
from luthier.callbacks.console import Console, in_notebook
from luthier.callbacks.html import results_html, snapshot_html
from luthier.callbacks.live import Live
from luthier.callbacks.notebook import Notebook
from luthier.callbacks.plain import EVERY, FIRST_ENDS, Plain
from luthier.callbacks.plan import Plan, plan_line
from luthier.callbacks.summary import summarize, summary_lines
from luthier.core import events as ev
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.terms import Outcome, Status, WorkerId
from tests.callbacks.story import NOW, TRACEBACK, Story, W

HOSTILE = "[red]x[/red] <script>alert(1)</script> \x1b[2J"


def plain(**options) -> tuple[Plain, io.StringIO]:
    out = io.StringIO()
    return Plain(stream=out, started=NOW, **options), out


def live(width: int = 120, height: int = 40, **options) -> tuple[Live, io.StringIO]:
    out = io.StringIO()
    console = RichConsole(file=out, force_terminal=True, width=width, height=height, highlight=False, color_system=None)
    return Live(console=console, started=NOW, **options), out


class Shown:
    def __init__(self) -> None:
        self.pages: list[str] = []

    def show(self, html: str) -> None:
        self.pages.append(html)


def some_trials(story: Story) -> None:
    for number in range(5):
        trial = story.start(number, {"lr": 0.1 * number, "fixed": "same"})
        story.report(trial, loss=5.0 - number, acc=0.5)
    story.end("x_00004")
    story.end("x_00000", Status.STOPPED)
    story.end("x_00001", Status.FAILED, TRACEBACK)
    story.propose(5, {"lr": 1.0, "fixed": "same"}, gpu=1.0)


# -- the board -------------------------------------------------------------------------------------------------------


def test_snapshot_tells_counts_best_rows_and_what_is_waited_for(tmp_path):
    board = Board()
    story = Story(tmp_path)
    story.listeners = [SimpleNamespace(on_events=board.hear)]
    story.join(cpu=8.0)
    some_trials(story)
    snapshot = board.snapshot(story.state, 75.0)
    assert snapshot.counts == {"running": 2, "waiting": 1, "done": 1, "stopped": 1, "failed": 1}
    assert snapshot.resources == "2 of 8 cpu"
    assert snapshot.waits == ("1 trial waits for 1 gpu; 0 of 0 free",)
    assert snapshot.best.name == "f_x_00004"
    assert snapshot.best.value == 1.0
    assert snapshot.best.config == "lr=0.4, fixed=same"
    assert snapshot.columns == ("trial", "status", "iter", "time", "loss", "acc", "lr")  # fixed does not vary
    assert [row.cells[0][-1] for row in snapshot.rows] == ["2", "3", "4", "1", "0", "5"]  # running, best, waiting
    assert snapshot.rows[0].cells == ("f_x_00002", "running", "1", "0.5 s", "3", "0.5", "0.2")
    assert snapshot.progress == (
        "6 trials · 2 running · 1 waiting · 1 done · 1 stopped · 1 failed · 1 min 15 s · 2 of 8 cpu"
    )


def test_a_busy_worker_and_a_split_one_are_told_apart(tmp_path):
    board, story = Board(), Story(tmp_path)
    story.emit(*(ev.WorkerJoined(WorkerId(worker), {"cpu": 1.0}) for worker in "ab"))
    story.propose(0, {}, cpu=2.0)
    assert board.snapshot(story.state, 0.0).waits == ("1 trial waits for one worker with 2 cpu free",)
    story.propose(1, {}, cpu=1.0)
    assert board.snapshot(story.state, 0.0).waits[1] == "1 trial waits for its turn"


def test_a_snapshot_looks_at_what_it_shows_only(tmp_path):
    board, story = Board(), Story(tmp_path)
    story.join(cpu=5000.0)
    for number in range(3000):
        trial = story.start(number, {"lr": number})
        story.report(trial, loss=float(-number % 977))
        board.hear(story.records[-1].events, story.state)

    class Counted(dict[Any, Any]):
        looked = 0

        def __getitem__(self, key):
            Counted.looked += 1
            return super().__getitem__(key)

        def values(self):
            raise AssertionError("looked at all trials")

    story.state.trials = Counted(story.state.trials)
    snapshot = board.snapshot(story.state, 1.0)
    assert Counted.looked < 100
    assert len(snapshot.rows) == 20
    assert snapshot.left_out == 2980
    assert snapshot.best.value == 0.0


def test_the_bounded_board_keeps_the_best(tmp_path):
    board, story = Board(rows=5), Story(tmp_path)
    story.join(cpu=5000.0)
    for number in range(500):
        trial = story.start(number, {"lr": number})
        story.report(trial, loss=float((number * 7919) % 1009))
        board.hear(story.records[-1].events, story.state)
        story.end(trial)
    snapshot = board.snapshot(story.state, 1.0)
    best = sorted((number * 7919) % 1009 for number in range(500))[:5]
    assert [float(row.cells[4]) for row in snapshot.rows] == best


def test_a_board_that_starts_late_catches_up(tmp_path):
    story = Story(tmp_path)
    some_trials(story)
    board = Board()
    board.hear([], story.state)
    assert board.snapshot(story.state, 0.0).best.name == "f_x_00004"


# -- in lines --------------------------------------------------------------------------------------------------------


def test_plain_lines(tmp_path):
    face, out = plain()
    story = Story(tmp_path, face)
    some_trials(story)
    assert out.getvalue() == (
        "f_x_00004 done loss=1 in 0.5 s\n"
        "f_x_00000 stopped loss=5 in 0.5 s\n"
        "f_x_00001 failed (attempt 1): ValueError: no 7\n"
        "    at train.py:12 in train: model(x)\n"
        "    more in f_x_00001/error.txt\n"
    )
    story.tick(NOW + EVERY)
    progress = out.getvalue().splitlines()[5:]
    assert progress[0].startswith("6 trials · 2 running")
    assert progress[1] == "    best loss=1: f_x_00004 (lr=0.4, fixed=same)"
    assert progress[2] == "    1 trial waits for 1 gpu; 0 of 0 free"
    story.tick(NOW + 3 * EVERY)  # nothing new
    assert len(out.getvalue().splitlines()) == 8


def test_a_trial_that_never_ran_says_why(tmp_path):
    face, out = plain()
    story = Story(tmp_path, face)
    trial = story.propose(0, {})
    story.emit(ev.Ended(trial, Status.FAILED, "asks for 2 gpu; there is only 1 cpu"))
    assert out.getvalue() == "f_x_00000 failed: asks for 2 gpu; there is only 1 cpu\n"


def test_plain_lines_are_few(tmp_path):
    face, out = plain()
    story = Story(tmp_path, face)
    for number in range(100):
        story.end(story.start(number))
        story.tick(NOW + number * 0.01)
    lines = out.getvalue().splitlines()
    assert len(lines) == FIRST_ENDS + 1
    assert lines[-1] == "(more trials end; verbose=2 names each of them)"
    story.tick(NOW + 60)
    assert len(out.getvalue().splitlines()) == FIRST_ENDS + 2


def test_verbose_two_tells_results_so_many_per_second(tmp_path):
    face, out = plain(verbose=2)
    story = Story(tmp_path, face)
    trial = story.start(0)
    for _ in range(50):
        story.report(trial, loss=0.5)
    story.tick(NOW + 1)
    lines = out.getvalue().splitlines()
    assert lines[0] == "f_x_00000 reports 1: loss=0.5"
    assert lines[-1] == "(40 more results)"
    assert len(lines) == 11
    face, out = plain(verbose=3)
    story.listeners = [face]
    for _ in range(50):
        story.report(trial, loss=0.5)
    assert len(out.getvalue().splitlines()) == 50


def test_hostile_strings_move_no_cursor(tmp_path):
    face, out = plain(verbose=3)
    story = Story(tmp_path, face)
    trial = story.start(0, {"evil": HOSTILE}, name=HOSTILE)
    story.report(trial, **{HOSTILE: HOSTILE, "loss": 1.0})
    story.end(trial, Status.FAILED, f"ValueError: {HOSTILE}")
    story.emit(ev.StopRequested(HOSTILE))
    story.tick(NOW + 10)
    face.say(summary_lines(summarize(story.state, elapsed=1.0, directory="d")))
    assert "\x1b" not in out.getvalue()
    assert "[red]x[/red]" in out.getvalue()


def test_an_output_that_cannot_be_written_stops_nothing(tmp_path):
    raw = io.BytesIO()
    narrow = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    Plain(stream=narrow, started=NOW).say(["2 · 3"])
    assert raw.getvalue() == b"2 ? 3\n"
    closed = io.StringIO()
    closed.close()
    Plain(stream=closed, started=NOW).say(["x"])


# -- in a terminal ---------------------------------------------------------------------------------------------------


def test_live_table(tmp_path):
    face, out = live()
    story = Story(tmp_path, face)
    some_trials(story)
    story.tick(NOW + 1)
    story.close()
    text = out.getvalue()
    assert "6 trials · 2 running · 1 waiting" in text
    assert "best loss = 1: f_x_00004  lr=0.4, fixed=same" in text
    assert "1 trial waits for 1 gpu; 0 of 0 free" in text
    assert "ValueError: no 7" in text
    assert "f_x_00002" in text
    heads = next(line for line in text.splitlines() if "status" in line)
    assert heads.split() == ["trial", "status", "iter", "time", "loss", "acc", "lr"]
    assert text.rstrip().endswith("\x1b[?25h")  # the cursor is back


def test_live_shows_strings_as_they_are(tmp_path):
    face, out = live(width=200)
    story = Story(tmp_path, face)
    trial = story.start(0, {"evil": HOSTILE}, name=HOSTILE)
    story.start(1, {"evil": "[/]"})
    story.report(trial, **{"[bold]m": 1.0, "loss": 1.0})
    story.end(trial, Status.FAILED, f"ValueError: {HOSTILE}")
    story.tick(NOW + 1)
    story.close()
    text = out.getvalue()
    assert "[red]x[/red]" in text
    assert "[bold]m" in text
    assert "\x1b[2J" not in text
    assert "\\x1b[2J" in text


def test_live_draws_four_times_a_second_at_most(tmp_path, monkeypatch):
    face, _ = live()
    drawn: list[float] = []
    monkeypatch.setattr(face, "_draw", drawn.append)
    story = Story(tmp_path, face)
    story.start(0)
    for i in range(1000):
        story.tick(NOW + i / 1000)
    assert len(drawn) == 4


def test_live_fits_a_small_terminal(tmp_path):
    face, out = live(width=60, height=14)
    story = Story(tmp_path, face)
    for number in range(30):
        story.start(number)
    story.tick(NOW)
    assert out.getvalue().count("f_x_") <= 14
    assert "…" not in out.getvalue()
    assert "more" in out.getvalue()
    story.close()


def test_live_leaves_out_columns_that_do_not_fit(tmp_path):
    face, out = live(width=50)
    story = Story(tmp_path, face)
    for number in range(2):
        trial = story.start(number, {"learning_rate": 0.1 * number, "momentum": 0.9 * number})
        story.report(trial, accuracy=0.5, loss=0.25)
    story.tick(NOW)
    heads = next(line for line in out.getvalue().splitlines() if "status" in line)
    assert heads.split() == ["trial", "status", "iter", "time", "loss"]  # what is optimised before what is not
    story.close()


# -- in a notebook ---------------------------------------------------------------------------------------------------


def test_notebook(tmp_path, capsys):
    shown = Shown()
    face = Notebook(output=shown, started=NOW)
    story = Story(tmp_path, face)
    some_trials(story)
    story.tick(NOW + 1)
    story.tick(NOW + 1.1)
    assert len(shown.pages) == 1
    story.close()
    page = shown.pages[-1]
    assert "<b>6 trials · 2 running" in page
    assert "<td>f_x_00002</td><td>running</td>" in page
    assert "best loss = 1: f_x_00004 (lr=0.4, fixed=same)" in page
    assert "ValueError: no 7" in capsys.readouterr().out


def test_html_is_escaped(tmp_path):
    board, story = Board(), Story(tmp_path)
    trial = story.start(0, {HOSTILE: HOSTILE}, name=HOSTILE)
    story.report(trial, **{HOSTILE: 1.0, "loss": 1.0})
    board.hear([], story.state)
    page = snapshot_html(board.snapshot(story.state, 0.0))
    page += results_html([{"trial_id": HOSTILE, HOSTILE: HOSTILE, "config": {HOSTILE: HOSTILE}}], title=HOSTILE)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5


def test_results_html_shows_metrics_and_parameters():
    rows = [
        {"trial_id": f"t{i}", "loss": i / 3, "eval": {"acc": 1}, "done": True, "pid": 1, "config": {"lr": 0.1}}
        for i in range(150)
    ]
    page = results_html(rows)
    assert "<th>trial_id</th><th>loss</th><th>eval/acc</th><th>lr</th>" in page
    assert page.count("<tr>") == 101
    assert "... and 50 more" in page
    assert "0.33333" in page


def test_a_notebook_is_told_from_a_terminal(monkeypatch):
    assert not in_notebook()
    kernel = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: kernel))
    assert in_notebook()
    terminal = type("TerminalInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: terminal))
    assert not in_notebook()


def test_a_notebook_gets_html(monkeypatch, tmp_path):
    pages = []
    handle = SimpleNamespace(update=lambda html: pages.append(("update", html)))

    def display(html, display_id=None):
        pages.append(("new", html))
        return handle

    kernel = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: kernel))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display, HTML=str))
    console = Console(started=NOW)
    story = Story(tmp_path, console)
    some_trials(story)
    story.tick(NOW + 1)
    story.tick(NOW + 2)
    console.finish(summarize(story.state, elapsed=1.0, directory="d"))
    assert [kind for kind, _ in pages] == ["new", "update", "update", "new"]
    assert "luthier show d" in pages[-1][1]


# -- which of them, and the words around -----------------------------------------------------------------------------


def test_console_chooses(tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    story = Story(tmp_path)
    for out, expected in ((Terminal(), "\x1b["), (io.StringIO(), "f_x_0000")):
        console = Console(stream=out, started=NOW)
        story.listeners = [console]
        story.end(story.start(len(story.state)))
        story.tick(NOW + 10)
        console.finish(summarize(story.state, elapsed=1.0, directory="d"))
        assert expected in out.getvalue()
        assert ("\x1b[" in out.getvalue()) == (expected == "\x1b[")
        assert "Results are in d" in out.getvalue()


def test_silence(tmp_path):
    out = io.StringIO()
    console = Console(0, stream=out)
    story = Story(tmp_path, console)
    console.start(Plan(trials=1, directory="d"))
    some_trials(story)
    story.tick(NOW)
    console.finish(summarize(story.state, elapsed=1.0, directory="d"))
    assert out.getvalue() == ""


@pytest.mark.parametrize("verbose", [-1, 4, "loud", True, None])
def test_bad_verbose(verbose):
    with pytest.raises(BadArgument, match="verbose"):
        Console(verbose)


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"trials": 1}, "1 trial, random search, as many at a time as fit; results in d"),
        ({"trials": None, "max_concurrent": 3}, "trials without end, random search, 3 at a time; results in d"),
        (
            {"trials": 6, "grid": 6, "request": {"cpu": 1.0, "gpu": 0.5}, "total": {"cpu": 8.0, "gpu": 1.0}},
            "6 trials (grid of 6), random search, 2 at a time with 1 cpu, 0.5 gpu each on 8 cpu, 1 gpu; results in d",
        ),
        (
            {"trials": 4, "searcher": "TPE", "goals": [("acc", "max")], "time_budget": 90.0, "done": 2,
             "request": {"cpu": 1.0}, "total": {"cpu": 4.0}, "max_concurrent": 2},
            (
                "4 trials, 2 of them done before, TPE, for the best 'acc' (max), 2 at a time with 1 cpu each on 4 cpu, "
                "for 1 min 30 s at most; results in d"
            ),
        ),
    ],
)  # fmt: skip
def test_plan(facts, line):
    assert plan_line(Plan(directory="d", **facts)) == line


def test_summary(tmp_path):
    story = Story(tmp_path)
    some_trials(story)
    for number, code in ((6, 8), (7, 9)):
        trial = story.start(number)
        story.end(trial, Status.FAILED, f"KeyError: {code}")
    lines = summary_lines(summarize(story.state, elapsed=3.0, directory="a dir", interrupted=True, reason="Ctrl-C"))
    assert lines == [
        "Interrupted after 3.0 s (Ctrl-C): 8 trials: 2 running, 1 waiting, 1 done, 1 stopped, 3 failed.",
        "Best: f_x_00004 with loss = 1",
        "  lr=0.4, fixed=same",
        "What went wrong:",
        "  2 x KeyError: 8  (f_x_00006, f_x_00007)",
        "      more in f_x_00006/error.txt",
        "  1 x ValueError: no 7  (f_x_00001)",
        "      at train.py:12 in train: model(x)",
        "      more in f_x_00001/error.txt",
        "Results are in a dir",
        "  luthier show 'a dir'",
        "To go on where it stopped:",
        "  luthier resume 'a dir'",
        "  Tuner.restore('a dir', trainable).fit()",
    ]


def test_summary_without_a_metric(tmp_path):
    story = Story(tmp_path, goals=(Goal("accuracy", "max"),))
    trial = story.start(0)
    story.report(trial, acc=1.0)
    story.end(trial)
    lines = summary_lines(summarize(story.state, elapsed=3.0, directory="d"))
    assert lines[1] == "No trial reported 'accuracy', so there is no best one."


def test_lost_trials_are_told_and_leaving_ones_are_not(tmp_path):
    face, out = plain()
    story = Story(tmp_path, face)
    trial = story.start(0)
    story.emit(ev.Exited(trial, 1, Outcome.LOST, "killed by SIGKILL"), ev.Requeued(trial, {}, None, {"cpu": 1.0}))
    said = out.getvalue()
    assert said.startswith("f_x_00000 was interrupted, which counts as no failure (attempt 1): killed by SIGKILL\n")
    story.emit(ev.WorkerLost(W, on_purpose=True))
    assert out.getvalue() == said
    story.join()
    story.emit(ev.WorkerLost(W))
    assert "Worker w0 was lost" in out.getvalue()


def test_the_summary_knows_how_many_were_planned(tmp_path):
    out = io.StringIO()
    console = Console(stream=out, started=NOW)
    console.start(Plan(trials=20, directory="d"))
    story = Story(tmp_path, console)
    some_trials(story)
    story.tick(NOW + 10)
    assert "6 trials of 20 · 2 running" in out.getvalue()
    console.finish(summarize(story.state, elapsed=3.0, directory="d", interrupted=True, reason="interrupted"))
    assert "Interrupted after 3.0 s: 6 trials of 20: 2 running" in out.getvalue()


def test_a_process_without_a_console_says_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    Plain(started=NOW).say(["x"])
