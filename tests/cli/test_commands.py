"""luthier ls, show, log: what they print, what they refuse, and that they only read."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from luthier import __version__
from luthier.callbacks.files import result_files
from luthier.cli.commands import luthier
from luthier.core.goal import Goal
from luthier.core.terms import Status
from luthier.store.jsonl import JsonlStore
from tests.callbacks.story import TRACEBACK, Story

HOSTILE = "a[red]b \x1b[2J,\nc"


def tell(directory: Path, name: str = "quick", goals: tuple[Goal, ...] = (Goal("loss", "min"),)) -> Path:
    story = Story(directory, *result_files(directory), goals=goals)
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(6):
        trial = story.start(number, {"lr": 0.1 * number, "act": "relu" if number % 2 else "tanh", "fixed": 1})
        if number < 4:
            story.report(trial, loss=4.0 - number, acc=0.25 * number)
        if number == 3:
            story.report(trial, loss=math.nan, acc=1.0)
    story.end("x_00000")
    story.end("x_00001", Status.STOPPED)
    story.end("x_00002")
    story.end("x_00004", Status.FAILED, TRACEBACK)
    story.end("x_00005", Status.FAILED, TRACEBACK.replace("7", "8"))
    story.close()
    return story.save(name)


@pytest.fixture(scope="module")
def storage(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("results")
    tell(path / "quick")
    tell(path / "deep" / "other", "other", ())
    return path


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(luthier, [str(a) for a in arguments], prog_name="luthier")
    assert result.exit_code == code, (result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "\x1b" not in result.output
    return result.output


def test_help_helps():
    text = run("--help")
    for verb in ("demo", "log", "ls", "show"):
        assert f"\n  {verb} " in text
        assert verb in run(verb, "--help")
    assert 'luthier show NAME --filter "loss < 0.5"' in text
    assert __version__ in run("--version")


def test_a_name_is_looked_for_where_experiments_usually_are(storage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LUTHIER_STORAGE_PATH", str(storage))
    table = tmp_path / "table.csv"
    for verb, *more in (("show",), ("log",), ("ls",), ("export", table), ("export", table, "--history"), ("plot",)):
        assert run(verb, "quick", *more) == run(verb, storage / "quick", *more)
    assert f"{storage / 'quick'} holds no tuner.pkl" in run("resume", "quick", code=2)
    assert "it is not there" in run("show", "slow", code=2)
    (tmp_path / "quick").mkdir()
    assert "is no experiment" in run("show", "quick", code=2)  # what is here goes first
    monkeypatch.setenv("LUTHIER_STORAGE_PATH", "memory://nowhere")
    assert "it is not there" in run("show", "other", code=2)


def test_who_has_read_enough_of_a_log_is_not_told_of_it(storage):
    script = "from luthier.cli.main import main; main()"
    command = [sys.executable, "-c", script, "log", str(storage / "quick")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


def test_ls_lists_experiments(storage):
    lines = run("ls", storage).splitlines()
    assert lines[0].split() == ["experiment", "when", "took", "state", "trials", "best"]
    assert {line.split()[0] for line in lines[1:]} == {"quick", str(Path("deep") / "other")}
    quick = next(line for line in lines if line.startswith("quick"))
    assert "interrupted" in quick  # one trial was running when its driver went away
    assert "1 running, 2 done, 1 stopped, 2 failed" in quick
    assert quick.endswith("loss=2")


def test_ls_of_an_experiment_lists_its_trials(storage):
    lines = run("ls", storage / "quick").splitlines()
    assert lines[0].split()[:4] == ["trial", "status", "training_iteration", "time_total_s"]
    assert len(lines) == 7
    assert len(run("ls", storage / "quick", "--limit", 2).splitlines()) == 4


def test_show(storage):
    text = run("show", storage / "quick")
    assert text.startswith("quick: interrupted, 6 trials of f in")
    assert "best: f_x_00002 with loss = 2\n    lr = 0.2\n    act = tanh\n    fixed = 1\n" in text
    lines = text.splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("trial"))
    assert lines[head].split() == ["trial", "status", "training_iteration", "time_total_s", "loss", "acc", "lr", "act"]
    assert [line.split()[0][-1] for line in lines[head + 1 : head + 7]] == ["2", "1", "0", "3", "4", "5"]  # NaN last
    assert "2 x ValueError: no 7  (f_x_00004, f_x_00005)" in text
    assert "at train.py:12 in train: model(x)" in text


def test_show_failures(storage):
    text = run("show", storage / "quick", "--failures")
    assert text.startswith("2 trials: ValueError: no 7\n  f_x_00004, f_x_00005\n")
    for line in TRACEBACK.splitlines():
        assert f"  | {line}" in text
    assert text.count("Traceback") == 1


def trials_in(text: str) -> list[str]:
    return [line.split()[0][-1] for line in text.splitlines() if line.startswith("f_x_")]


@pytest.mark.parametrize(
    ("options", "trials"),
    [
        (["--filter", "loss < 3.5"], "21"),
        (["--filter", "loss<3.5", "--filter", "act == relu"], "1"),
        (["--filter", "config/lr >= 0.3"], "345"),
        (["--filter", "status != ERROR"], "2103"),
        (["--filter", "status = 'ERROR'"], "45"),
        (["--sort", "lr"], "012345"),
        (["--sort", "lr", "--desc", "--limit", "2"], "54"),
        (["--desc"], "012345"),
        (["--sort", "acc"], "012345"),
    ],
)
def test_show_chooses(storage, options, trials):
    assert trials_in(run("show", storage / "quick", *options)) == list(trials)


def test_show_columns(storage):
    text = run("show", storage / "quick", "--columns", "trial,loss,lr,ended")
    head = next(line for line in text.splitlines() if line.startswith("trial"))
    assert head.split() == ["trial", "loss", "lr", "ended"]


def test_show_output(storage, tmp_path):
    target = tmp_path / "x.csv"
    run("show", storage / "quick", "--output", target, "--filter", "loss < 3.5")
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["trial"], row["loss"], row["config/act"]) for row in rows] == [
        ("f_x_00002", "2.0", "tanh"), ("f_x_00001", "3.0", "relu"),
    ]  # fmt: skip


def test_show_json(storage):
    told = json.loads(run("show", storage / "quick", "--json"))
    assert told["best"] == {"trial": "f_x_00002", "value": 2.0, "config": {"lr": 0.2, "act": "tanh", "fixed": 1}}
    assert told["counts"] == {"running": 1, "done": 2, "stopped": 1, "failed": 2}
    assert len(told["trials"]) == 6
    assert math.isnan(told["trials"][3]["loss"])


def test_show_without_a_metric(storage):
    text = run("show", storage / "deep" / "other")
    assert "best:" not in text
    assert len(trials_in(text)) == 6


def test_log(storage):
    lines = run("log", storage / "quick").splitlines()
    assert lines[0].split()[3:] == ["WorkerJoined", "worker=w0", "100", "cpu"]
    assert any("Reported" in line and "loss=4" in line for line in lines)
    assert [int(line.split()[0]) for line in lines] == list(range(len(lines)))
    assert len(run("log", storage / "quick", "--limit", 3).splitlines()) == 3
    of_one = run("log", storage / "quick", "--trial", "00004").splitlines()
    assert [line.split()[3] for line in of_one] == ["Proposed", "Launched", "Exited", "Ended"]
    assert "ValueError: no 7" in of_one[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ls", "{tmp}/nowhere"], "is not there"),
        (["ls", "{tmp}"], "there is no experiment in"),
        (["ls", "{tmp}/file"], "is a file"),
        (["show", "{tmp}/nowhere"], "is no experiment of Luthier's: it is not there"),
        (["show", "{tmp}"], "holds no experiment.json"),
        (["show", "{tmp}/file"], "is no experiment"),
        (["show"], "Missing argument"),
        (["log", "{tmp}"], "holds no experiment.json"),
        (["show", "{quick}", "--filter", "loss"], "give a column"),
        (["show", "{quick}", "--filter", "los < 1"], "did you mean 'loss'"),
        (["show", "{quick}", "--sort", "nothing"], "there is no column 'nothing'"),
        (["show", "{quick}", "--columns", "trial,nothing"], "there is no column 'nothing'"),
        (["show", "{quick}", "--output", "{tmp}/x.pkl"], "ends with .csv"),
        (["show", "{quick}", "--output", "{tmp}/no/x.csv"], "cannot be written"),
        (["show", "{quick}", "--limit", "0"], "0 is not in the range"),
        (["nothing"], "No such command"),
    ],
)
def test_bad_input(storage, tmp_path, arguments, message):
    (tmp_path / "file").touch()
    text = run(*(a.format(tmp=tmp_path, quick=storage / "quick") for a in arguments), code=2)
    assert message in " ".join(text.split())


@pytest.mark.parametrize("option", ["--sort", "--columns"])
def test_names_of_columns_cannot_write_to_the_terminal(tmp_path, option):
    story = Story(tmp_path / "odd", *result_files(tmp_path / "odd"), goals=(Goal("loss", "min"),))
    (tmp_path / "odd").mkdir()
    story.report(story.start(0, {"lr\x1b[31m\u202e": 0.1}), **{"loss": 1.0, "m\x07\r": 2.0})
    story.end("x_00000")
    story.close()
    story.save("odd")
    text = run("show", tmp_path / "odd", option, "no\x1b[31m", code=2)
    assert "there is no column" in text and all(c.isprintable() or c == "\n" for c in text)


def test_a_damaged_experiment_is_told(tmp_path):
    path = tell(tmp_path / "broken")
    tell(tmp_path / "good", "good")
    segment = next((path / "events").iterdir())
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join([*lines[:3], b"{nonsense}\n", *lines[4:]]))
    assert "CorruptLog" in run("show", path, code=2)
    text = run("ls", tmp_path)
    assert "good" in text
    assert "unreadable" in text
    (path / "experiment.json").write_text("{")
    assert "is damaged" in run("show", path, code=2)


def test_while_it_runs(tmp_path):
    path = tell(tmp_path / "live")
    before = sorted((p, p.stat().st_mtime_ns) for p in path.rglob("*"))
    with JsonlStore(path) as store:
        assert store.writer() is not None
        assert run("show", path).startswith("quick: running")
        assert "running" in run("ls", tmp_path)
        run("log", path)
    after = [(p, m) for p, m in sorted((p, p.stat().st_mtime_ns) for p in path.rglob("*")) if p.name != ".lock"]
    assert [x for x in before if x[0].name != ".lock" and x[0] != path] == [x for x in after if x[0] != path]


def test_hostile_strings(tmp_path):
    story = Story(tmp_path)
    trial = story.start(0, {HOSTILE: HOSTILE}, name=HOSTILE)
    story.report(trial, **{HOSTILE: 1.0, "loss": 1.0})
    story.end(trial, Status.FAILED, f"ValueError: {HOSTILE}")
    story.save(HOSTILE)
    for arguments in (["ls", tmp_path], ["show", tmp_path], ["show", tmp_path, "--failures"], ["log", tmp_path]):
        assert "\x1b" not in run(*arguments)  # run looks for it too


def test_no_pickle_is_loaded(tmp_path):
    story = Story(tmp_path)
    story.start(0, {"path": Path("somewhere")})
    story.save()
    assert "pathlib" in run("show", tmp_path)


def test_as_a_command(storage):
    done = subprocess.run(
        [sys.executable, "-m", "luthier.cli.main", "show", str(storage / "quick")],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "best: f_x_00002" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    bad = subprocess.run(
        [sys.executable, "-m", "luthier.cli.main", "show", str(storage)], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert bad.returncode == 2
    assert bad.stderr.startswith("Error: ")
    assert bad.stdout == ""


def test_looking_imports_nothing_heavy(storage):
    code = (
        "import sys\n"
        "from luthier.cli.commands import luthier\n"
        f"luthier(['show', {str(storage / 'quick')!r}], standalone_mode=False)\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'sklearn', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_help_names_each_verb_once_as_what_to_try():
    tried = [
        line for line in CliRunner().invoke(luthier, ["--help"]).output.splitlines() if line.startswith("    luthier")
    ]
    assert len(tried) == len(set(tried)) and sum("luthier server" in line for line in tried) == 1
