# What trials print.
from __future__ import annotations

import ctypes
import io
import sys
import time

from luthier.execution.transcript import Transcript, tail
from luthier.worker.session import report


def test_what_grows_too_long_is_cut_and_its_end_kept(run, tmp_path):
    def trainable(config):
        for i in range(400_000):
            print(f"line {i}")
        time.sleep(1)  # so that the driver comes to look
        print("the end")

    rig = run(trainable, transcript_limit=1 << 20)
    folder = tmp_path / "experiment" / rig.trial(0).id
    out, before = (folder / "stdout").read_text(), (folder / "stdout.1").read_text()
    assert len(out) <= 1 << 20
    assert len(before) <= 1 << 20
    assert before.startswith("[luthier: ")
    assert "bytes were cut here" in before.splitlines()[0]
    numbers = [int(line.split()[1]) for line in before.splitlines()[1:] if line.startswith("line ")]
    assert len(numbers) > 1000
    assert numbers == sorted(numbers)
    assert out.endswith("the end\n")


def test_what_is_printed_is_echoed_after_the_trials_name(run, capsys):
    def trainable(config):
        print("hello")
        print("oh", file=sys.stderr)
        report({"i": 0})
        print("and", end="")

    run(trainable, [{}, {}], echo=True)
    out, err = capsys.readouterr()
    for trial in ("t_00000", "t_00001"):
        assert f"(name_of_{trial}) hello\n" in out
        assert f"(name_of_{trial}) and\n" in out
        assert f"(name_of_{trial}) oh\n" in err


def test_nothing_is_echoed_unless_asked(run, capsys):
    run(lambda config: print("hello"))
    assert capsys.readouterr() == ("", "")


def test_c_code_that_does_not_flush_is_captured(run, tmp_path):
    def trainable(config):
        ctypes.CDLL(None).printf(b"from C\n")

    rig = run(trainable)
    assert (tmp_path / "experiment" / rig.trial(0).id / "stdout").read_text() == "from C\n"


def test_a_process_that_is_used_again_prints_to_each_trial_in_turn(run, tmp_path):
    rig = run(lambda config: print(config["n"]), [{"n": n} for n in range(4)], reuse=True)
    for number in range(4):
        assert (tmp_path / "experiment" / rig.trial(number).id / "stdout").read_text() == f"{number}\n"


def test_a_bounded_amount_is_echoed(tmp_path, capsys):
    transcript = Transcript(str(tmp_path), "t", None, echo=True)
    (tmp_path / "stdout").write_text("x" * 99 + "\n" + "y\n" * 100_000)
    transcript.attend(last=True)
    out = capsys.readouterr().out
    assert len(out) < 400_000
    assert "bytes are not shown" in out.splitlines()[0]
    assert "x" not in "".join(line.removeprefix("(t) ") for line in out.splitlines()[1:])


def test_a_line_is_echoed_once_it_is_complete(tmp_path, capsys):
    transcript = Transcript(str(tmp_path), "t", None, echo=True)
    with (tmp_path / "stdout").open("a") as file:
        for piece, shown in (("hal", ""), ("f a line\nand", "(t) half a line\n"), (" more", "")):
            file.write(piece)
            file.flush()
            transcript.attend()
            assert capsys.readouterr().out == shown
    transcript.attend(last=True)
    assert capsys.readouterr().out == "(t) and more\n"


def test_the_tail_of_a_file(tmp_path):
    path = tmp_path / "x"
    assert tail(path, 3) == ""
    path.write_text("\n".join(map(str, range(100_000))) + "\n")
    assert tail(path, 3) == "99997\n99998\n99999"


def test_echo_to_an_output_that_is_gone_costs_nothing(run, monkeypatch):
    def trainable(config):
        print("hello")
        report({"i": 0})

    closed = io.StringIO()
    closed.close()
    for gone in (None, closed):
        monkeypatch.setattr(sys, "stdout", gone)
        rig = run(trainable, echo=True)
        assert rig.trial(0).metrics["i"] == 0
