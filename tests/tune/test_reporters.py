"""Reporters of progress: columns, pace, sorting, failures, notebooks, and users' own."""

from __future__ import annotations

import io
import re
import sys
import types
from typing import Any, ClassVar

import pytest

from luthier import tune
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.progress_reporter import CLIReporter, JupyterNotebookReporter, ProgressReporter, TuneReporterBase


def train(config):
    for i in range(3):
        tune.report({"loss": {"valid": config["lr"] / (i + 1)}, "acc": config["lr"] * i, "note": "x" * 50})
    if config["lr"] == 9:
        raise ValueError("nine")


def fitted(path, reporter, values=(1, 2, 3), verbose=1, **more):
    run = tune.RunConfig(
        name="e", storage_path=str(path), executor="inline", verbose=verbose, progress_reporter=reporter
    )
    space = {"lr": tune.grid_search(list(values)), "net": {"layers": 2}}
    return tune.Tuner(train, param_space=space, tune_config=tune.TuneConfig(**more), run_config=run).fit()


def tables(text):
    """Return the tables in *text*: a list of rows (dicts) each."""
    found = []
    for block in re.findall(r"^\+-.*?\n((?:\|.*\n)+)\+-", text, re.MULTILINE):
        lines = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines() if "-+-" not in line
        ]
        found.append([dict(zip(lines[0], line, strict=True)) for line in lines[1:]])
    return found


def test_columns_names_and_the_last_table(tmp_path, capsys):
    reporter = CLIReporter(
        metric_columns={"loss/valid": "loss", "never": "never"}, parameter_columns=["lr"], max_report_frequency=0
    )
    reporter.add_metric_column("acc", "accuracy")
    reporter.add_parameter_column("net/layers")
    fitted(tmp_path, reporter, metric="loss/valid", mode="min")
    out = capsys.readouterr().out
    last = tables(out)[-1]
    assert [list(row)[1:] for row in last] == [["status", "lr", "net/layers", "loss", "accuracy"]] * 3
    assert [(row["status"], row["lr"], row["loss"]) for row in last] == [
        ("TERMINATED", "1", "0.33333"), ("TERMINATED", "2", "0.66667"), ("TERMINATED", "3", "1"),
    ]  # fmt: skip
    assert "Number of trials: 3/3 (3 TERMINATED)" in out and f"Result directory: {tmp_path}/e" in out
    assert re.search(r"Current best trial: train_\w+_00000 with loss/valid=0.33333 and lr=1", out)
    assert re.search(r"Logical resource usage: 1/\d+ CPUs", out)
    assert len(tables(out)) > 3  # and there were some before
    assert "3 trials" in out and "failed" not in out  # the plan and the summary are told as ever


def test_what_is_shown_without_being_asked_for(tmp_path, capsys):
    fitted(tmp_path, CLIReporter(infer_limit=1, max_column_length=8))
    row = tables(capsys.readouterr().out)[-1][0]
    assert row["iter"] == "3" and row["lr"] == "1" and "acc" not in row and "total time (s)" not in row
    assert [head for head in row if head.endswith("valid")] == ["...valid"]


def test_a_column_that_is_added_stands_beside_the_usual_ones(tmp_path, capsys):
    reporter = CLIReporter()
    reporter.add_metric_column("acc", "accuracy")
    fitted(tmp_path, reporter)
    row = tables(capsys.readouterr().out)[-1][0]
    assert (row["iter"], row["accuracy"]) == ("3", "2")
    assert not any("valid" in head for head in row)  # with one's own choice none is guessed


def test_pace_rows_and_intermediate_tables(tmp_path, capsys):
    fitted(tmp_path / "a", CLIReporter(max_report_frequency=1000), values=range(8))
    told = tables(capsys.readouterr().out)
    assert [len(table) for table in told][-1] == 8 and len(told) == 2  # the first thing, and the end
    fitted(tmp_path / "b", CLIReporter(max_report_frequency=0, max_progress_rows=3), values=range(8))
    out = capsys.readouterr().out
    assert {len(table) for table in tables(out)[:-1]} <= {1, 2, 3} and len(tables(out)[-1]) == 8
    assert re.search(r"\.\.\. \d more trials? not shown \(\d TERMINATED", out)
    fitted(tmp_path / "c", CLIReporter(max_report_frequency=0, print_intermediate_tables=False), values=range(3))
    out = capsys.readouterr().out
    assert len(tables(out)) == 1 and out.count("== Status ==") > 2
    fitted(tmp_path / "d", CLIReporter(max_report_frequency=0), values=range(3), verbose=0)
    assert capsys.readouterr().out == ""


def test_sorting_by_the_metric(tmp_path, capsys):
    reporter = CLIReporter(sort_by_metric=True)
    fitted(tmp_path / "a", reporter, values=(2, 3, 1), metric="acc", mode="max")
    assert [row["lr"] for row in tables(capsys.readouterr().out)[-1]] == ["3", "2", "1"]
    fitted(tmp_path / "b", reporter, values=(2, 3, 1), metric="acc", mode="min")  # the same object again
    assert [row["lr"] for row in tables(capsys.readouterr().out)[-1]] == ["1", "2", "3"]
    own = CLIReporter(sort_by_metric=True, metric="loss/valid", mode="max")
    fitted(tmp_path / "c", own, values=(2, 3, 1))
    assert [row["lr"] for row in tables(capsys.readouterr().out)[-1]] == ["3", "2", "1"]
    with pytest.raises(BadArgument, match=r"progress_reporter.metric='loss/valid'.*TuneConfig says 'acc'"):
        fitted(tmp_path / "d", own, metric="acc", mode="max")


def test_failed_trials_have_a_table_of_their_own(tmp_path, capsys):
    fitted(tmp_path, CLIReporter(), values=(1, 9))
    out = capsys.readouterr().out
    assert "Number of errored trials: 1" in out
    (row,) = tables(out)[-1]
    assert row["# failures"] == "1" and row["error file"].endswith("error.txt")
    assert "ValueError: nine" in out


def test_a_reporter_of_ones_own_by_tune_run(tmp_path):
    heard: list[tuple[Any, ...]] = []

    class Own(ProgressReporter):
        def setup(self, start_time=None, total_samples=None, metric=None, mode=None, **kwargs):
            heard.append(("setup", start_time > 0, total_samples, metric, mode))

        def should_report(self, trials, done=False):
            return done or len(trials) == 2

        def report(self, trials, done, *sys_info):
            heard.append((len(trials), done, [trial.status for trial in trials]))

    where: dict[str, Any] = {"storage_path": str(tmp_path), "executor": "inline", "verbose": 0}
    tune.run(train, config={"lr": tune.grid_search([1, 2])}, progress_reporter=Own(), metric="acc", mode="max", **where)
    assert heard[0] == ("setup", True, 2, "acc", "max")
    assert heard[-1] == (2, True, ["TERMINATED", "TERMINATED"])
    assert len(heard) > 2


def test_one_that_raises_is_told_once_and_nothing_stops(tmp_path, caplog):
    class Broken(ProgressReporter):
        def should_report(self, trials, done=False):
            raise ZeroDivisionError

    grid = fitted(tmp_path, Broken())
    assert not grid.errors and len(grid) == 3
    assert len([r for r in caplog.records if "Broken.should_report raised" in r.message]) == 1


def test_one_that_fails_at_first_has_the_last_word_all_the_same(tmp_path, caplog):
    class Early(ProgressReporter):
        last: ClassVar[list[int]] = []

        def should_report(self, trials, done=False):
            return True

        def report(self, trials, done, *sys_info):
            if not done:
                raise KeyError("no result yet")
            self.last.append(len(trials))
            trials.clear()

    grid = fitted(tmp_path, Early())
    assert not grid.errors and Early.last == [len(grid)]
    assert len([r for r in caplog.records if "Early.report raised" in r.message]) == 1


def test_older_reporters_that_hear_of_the_goal(tmp_path):
    class Older(CLIReporter):
        def set_search_properties(self, metric, mode):
            self.heard = (metric, mode)
            return super().set_search_properties(metric, mode)

    reporter = Older()
    fitted(tmp_path, reporter, metric="acc", mode="max", verbose=0)
    assert reporter.heard == ("acc", "max") and isinstance(reporter, TuneReporterBase)


def test_a_notebook_shows_html_in_one_place(tmp_path, monkeypatch):
    shown: list[tuple[str, str]] = []

    class Handle:
        def update(self, html):
            shown.append(("update", html))

    def display(html, display_id):
        shown.append(("display", html))
        return Handle()

    fake = types.ModuleType("IPython.display")
    vars(fake).update(
        HTML=lambda text: text, display=display, clear_output=lambda wait: shown.append(("clear", str(wait)))
    )
    kernel = types.ModuleType("IPython")
    vars(kernel).update(get_ipython=lambda: "a kernel")
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    reporter = JupyterNotebookReporter(metric_columns={"acc": "<acc>"}, max_report_frequency=0)
    fitted(tmp_path, reporter, values=(1, 9))
    assert [kind for kind, _ in shown[:3]] == ["clear", "display", "update"]
    last = shown[-1][1]
    assert "<th>&lt;acc&gt;</th>" in last and "Number of errored trials: 1" in last and "<td>ERROR</td>" in last
    assert [kind for kind, _ in shown].count("display") == 1


def test_without_a_notebook_its_reporter_prints(tmp_path, capsys):
    fitted(tmp_path, JupyterNotebookReporter(metric_columns=["acc"]))
    out = capsys.readouterr().out
    assert [row["acc"] for row in tables(out)[-1]] == ["2", "4", "6"]
    assert "HTML" not in out


def test_columns_that_cannot_be(monkeypatch, capsys):
    with pytest.raises(BadArgumentType, match="metric_columns='loss'"):
        CLIReporter(metric_columns="loss")
    with pytest.raises(BadArgumentType, match="parameter_columns=3"):
        CLIReporter(parameter_columns=3)  # type: ignore[arg-type]
    reporter = CLIReporter(metric_columns=["loss"])
    with pytest.raises(ValueError, match="metric='loss'"):
        reporter.add_metric_column("loss")
    with pytest.raises(ValueError, match="representation='a'"):
        reporter.add_metric_column("accuracy", "a")
    with pytest.raises(BadArgument, match="mode='least'"):
        CLIReporter(mode="least")
    for number in ("max_progress_rows", "max_error_rows", "max_column_length", "infer_limit", "max_report_frequency"):
        given: dict[str, Any] = {number: "5"}
        with pytest.raises(BadArgument, match=f"{number}='5'"):
            CLIReporter(**given)
    with pytest.raises(TypeError, match=r"progress_reporter=.*tune.CLIReporter"):
        tune.Tuner(train, run_config=tune.RunConfig(progress_reporter=CLIReporter))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw := io.BytesIO(), encoding="ascii"))
    reporter._print("ü")
    assert raw.getvalue() == b"?\n"
