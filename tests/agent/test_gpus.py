"""GPUs and their locks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from luthier.agent.gpus import Gpus, chosen_gpus, runtime_directory
from luthier.core.errors import BadArgument, LuthierError
from luthier.execution import devices

HOLDS = """
import sys
from pathlib import Path
from luthier.agent.gpus import Gpus
gpus = Gpus(["0", "1"], Path(sys.argv[1]))
print(gpus.take("other", float(sys.argv[2])), flush=True)
sys.stdin.read()
"""


def test_two_agents_of_one_process_share(tmp_path):
    one, other = Gpus(["0", "1"], tmp_path), Gpus(["0", "1"], tmp_path)
    assert one.take("a", 1) == ["0"] and other.take("b", 1) == ["1"]
    assert one.take("c", 1) is None and other.take("c", 0.5) is None
    one.give_back("a")
    assert other.take("c", 0.5) == ["0"] and one.take("d", 0.5) == ["0"]
    assert one.take("e", 0.5) is None and one.take("f", 0) == []


def test_parts_fit_and_whole_ones_stay_free(tmp_path):
    gpus = Gpus(["0", "1"], tmp_path)
    assert [gpus.take(str(i), 1 / 3) for i in range(3)] == [["0"]] * 3
    assert gpus.take("w", 1) == ["1"] and gpus.take("x", 0.25) is None
    gpus.give_back("1")
    assert gpus.take("x", 0.25) == ["0"]


def test_several_are_taken_together_or_not_at_all(tmp_path):
    gpus = Gpus(["0", "1", "2"], tmp_path)
    gpus.take("a", 1)
    assert gpus.take("b", 3) is None and gpus.take("b", 2) == ["1", "2"]
    gpus.give_back("a")
    gpus.give_back("b")
    assert sorted(gpus.take("c", 1.5) or ()) == ["0", "1"]
    with pytest.raises(LuthierError, match=r"gpu=4, and this agent has 3"):
        gpus.take("d", 4)


def test_who_asks_for_nothing_gets_one_alone_or_else_the_least_busy(tmp_path):
    gpus = Gpus(["0", "1"], tmp_path)
    assert [gpus.take(str(i), None) for i in range(4)] == [["0"], ["1"], ["0"], ["1"]]
    gpus.give_back("2")
    assert gpus.take("4", None) == ["0"]
    assert Gpus([], tmp_path).take("a", None) == []


def test_locks_hold_between_processes_and_end_with_them(tmp_path):
    command = [sys.executable, "-c", HOLDS, str(tmp_path), "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "['0']\n"
        gpus = Gpus(["0", "1"], tmp_path)
        assert gpus.take("a", 1) == ["1"] and gpus.take("b", 0.5) is None
        other.kill()
        other.wait()
        assert gpus.take("b", 0.5) == ["0"]


def test_nobody_has_what_another_has_in_a_crowd(tmp_path):
    held: set[str] = set()
    wrong: list[str] = []

    def work(number):
        gpus = Gpus(["0", "1", "2"], tmp_path)
        for turn in range(60):
            holder = f"{number}-{turn}"
            found = gpus.take(holder, 1)
            if found:
                wrong.extend(name for name in found if name in held)
                held.update(found)
                held.difference_update(found)
                gpus.give_back(holder)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and Gpus(["0", "1", "2"], tmp_path).take("a", 3) == ["0", "1", "2"]


def test_what_the_option_means(monkeypatch):
    monkeypatch.setattr(devices, "_has_driver", lambda: True)
    monkeypatch.setattr(devices, "_gpu_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert chosen_gpus("auto") == ["0", "1"] and chosen_gpus(" none ") == [] and chosen_gpus("0, GPU-ab:1") == [
        "0", "GPU-ab:1"
    ]  # fmt: skip
    for wrong in ("0,0", "all the", "0;1"):
        with pytest.raises(BadArgument, match="gpus="):
            chosen_gpus(wrong)


def test_a_directory_that_others_may_write_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert runtime_directory() == tmp_path / "luthier"
    assert (tmp_path / "luthier").stat().st_mode & 0o777 == 0o700
    os.chmod(tmp_path / "luthier", 0o777)
    with pytest.raises(LuthierError, match="not safe"):
        runtime_directory()
