# Whatever happens to the driver, no process of a trial survives it.
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from pathlib import Path

import pytest

SCRIPT = """
    import os, pickle, subprocess, sys, threading, time
    from pathlib import Path

    from luthier.execution.process import ProcessExecutor
    from luthier.testing.rig import Rig
    from luthier.worker.session import report

    folder = Path(sys.argv[1])

    class Net:
        pass

    def trainable(config):
        for new_session in (False, True):
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=new_session)
        with (folder / f"net_{config['n']}").open("wb") as file:
            pickle.dump(Net(), file)
        (folder / f"there_{config['n']}").touch()
        if config["n"]:
            signal_proof()
        while True:
            report({"i": 0})
            time.sleep(0.01)

    def signal_proof():
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)

    def drive():
        executor = ProcessExecutor(trainable, experiment_dir=folder, resources={"cpu": 2.0}, start=sys.argv[2])
        Rig(executor, folder, [{"n": 0}, {"n": 1}]).run(timeout=3600, grace=0.2)

    drive()
"""


def marked(mark: str) -> list[int]:
    """Return the ids of all processes that have *mark* in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if mark.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def listening():
    """Hear Ctrl-C, as who was started in the background of a script does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def driver(tmp_path, request):
    """Start the script; return it and its mark once both trials run."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    mark = f"MARK_{uuid.uuid4().hex}"
    with (tmp_path / "err").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path), request.param], env={**os.environ, mark: "1"},
            process_group=0, stderr=err, preexec_fn=listening,  # noqa: PLW1509 (no threads here)
        )  # fmt: skip
    until = time.monotonic() + 60
    while not all((tmp_path / f"there_{n}").exists() for n in range(2)):
        assert process.poll() is None, (tmp_path / "err").read_text()
        assert time.monotonic() < until
        time.sleep(0.02)
    yield process, mark
    if process.poll() is None:
        process.kill()
    process.wait()
    for pid in marked(mark):
        with contextlib.suppress(ProcessLookupError):  # it was about to end
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("driver", ["fork", "spawn"], indirect=True)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_orphan_survives(driver, how):
    process, mark = driver
    assert len(marked(mark)) >= 8  # the driver, the template, two trials, and two processes of each
    process.send_signal(how)
    until = time.monotonic() + 20
    while marked(mark) and time.monotonic() < until:
        time.sleep(0.02)
    assert marked(mark) == []


@pytest.mark.parametrize("driver", ["fork", "spawn"], indirect=True)
def test_plain_pickle_finds_the_classes_of_the_script(driver, tmp_path):
    code = "import pickle, sys\nclass Net: pass\nassert type(pickle.load(open(sys.argv[1], 'rb'))) is Net"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "net_0")], check=True)
