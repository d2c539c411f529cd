"""Drivers on different machines, and one experiment in a bucket: one of them drives it, and all know which.

A machine is a process with a host name and a staging directory of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from luthier import tune
from luthier.core import events as ev
from luthier.core.errors import Conflict, ExperimentExists, StoreFailed, TakenOver
from luthier.store.lease import FOLDER, Lease, claim_of_this_process
from luthier.store.remote import Remote
from luthier.tune.past import events_of
from tests.storage.trainings import LEASE_S, assert_complete, assert_sound, stepping, tuner

SCRIPT = Path(__file__).with_name("machine.py")


@pytest.fixture
def machine(tmp_path):
    """Return ``machine(host, "begin" or "restore", url)``: a driver that is started there."""
    started = []

    def start(host, what, url, *, steps=60, pause=0.05, **env):
        where = {"LUTHIER_STAGING": str(tmp_path / host), "XDG_CACHE_HOME": str(tmp_path / host / "cache")}
        command = [sys.executable, str(SCRIPT), host, what, url, str(steps), str(pause)]
        driver = subprocess.Popen(
            command, env={**os.environ, **where, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append(driver)
        return driver

    yield start
    for driver in started:
        if driver.poll() is None:
            driver.kill()
        driver.communicate()


def steps_here(tmp_path, host):
    found = list((tmp_path / host).glob("*/run/events"))
    return sum(isinstance(event, ev.Reported) for event in events_of(str(found[0].parent))) if found else 0


def uploaded(url):
    """Return the names of the log's segments there, with their contents."""
    remote = Remote.at(f"{url}/run")
    return {name: remote.read(name) for name in remote.sizes("events") if name.endswith(".jsonl")}


def wait_for(condition, *drivers):
    deadline = time.monotonic() + 60
    while not condition():
        for driver in drivers:
            assert driver.poll() is None, driver.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """This process is on the machine "here"."""
    monkeypatch.setenv("LUTHIER_STAGING", str(tmp_path / "here"))
    return tmp_path / "here"


def test_a_second_driver_on_another_machine_is_refused_with_who_holds_it(s3, bucket, machine, tmp_path, here):
    url = f"s3://{bucket}/results"
    first = machine("there", "begin", url, steps=120)
    wait_for(lambda: len(uploaded(url)) and steps_here(tmp_path, "there") > 3, first)
    for _ in range(2):
        with pytest.raises(Conflict, match=rf"being written by process {first.pid} of \w+ on there, since"):
            tune.Tuner.restore(f"{url}/run", stepping).fit()
    with pytest.raises(ExperimentExists):
        tuner(url).fit()
    assert len(tune.Tuner.restore(f"{url}/run", stepping).get_results()) == 2  # anybody may read
    assert first.wait(60) == 0, first.communicate()
    grid = tune.Tuner.restore(f"{url}/run", stepping).fit()  # it has let go: at once
    assert_complete(grid.experiment_path, trials=2, steps=120)
    assert not list(here.glob("*/run/.lease"))


def test_the_lease_of_a_killed_driver_is_taken_over_when_its_term_is_over(s3, bucket, machine, tmp_path):
    url = f"s3://{bucket}/results"
    first = machine("there", "begin", url)
    wait_for(lambda: len(uploaded(url)) and steps_here(tmp_path, "there") > 10, first)
    first.send_signal(signal.SIGKILL)
    first.wait(60)
    began = time.monotonic()
    second = machine("yonder", "restore", url)
    said = second.communicate(timeout=60)[0]
    assert second.returncode == 0, said
    assert time.monotonic() - began >= LEASE_S
    assert f"was last written by process {first.pid} of" in said and "for a sign of life" in said
    (path,) = (tmp_path / "yonder").glob("*/run")
    assert_complete(path, trials=2, steps=60)
    assert_sound(Remote.at(f"{url}/run"), tmp_path)


def test_on_the_same_machine_nobody_waits_for_a_killed_driver(s3, bucket, machine, tmp_path):
    url = f"s3://{bucket}/results"
    first = machine("there", "begin", url)
    wait_for(lambda: len(uploaded(url)) and steps_here(tmp_path, "there") > 10, first)
    first.send_signal(signal.SIGKILL)
    first.wait(60)
    again = machine("there", "restore", url)
    said = again.communicate(timeout=60)[0]
    assert again.returncode == 0 and "sign of life" not in said, said
    (path,) = (tmp_path / "there").glob("*/run")
    assert_complete(path, trials=2, steps=60)


def test_who_comes_back_and_was_taken_over_from_ends_its_run_and_uploads_nothing(s3, bucket, machine, tmp_path):
    url = f"s3://{bucket}/results"
    first = machine("there", "begin", url, steps=150, pause=0.05)
    wait_for(lambda: len(uploaded(url)) and steps_here(tmp_path, "there") > 10, first)
    first.send_signal(signal.SIGSTOP)  # a laptop that was closed, say: its trials go on for a step
    second = machine("yonder", "restore", url)
    wait_for(lambda: steps_here(tmp_path, "yonder") > steps_here(tmp_path, "there") + 10, second)
    first.send_signal(signal.SIGCONT)
    said = first.communicate(timeout=60)[0]
    assert first.returncode == 3, said
    assert "TakenOver: " in said and f"was taken over by process {second.pid} of" in said and "on yonder" in said
    (kept,) = (tmp_path / "there").glob("*/run")
    assert str(kept) in said and "luthier sync" not in said and "results [" in said
    assert second.wait(90) == 0, second.communicate()
    (path,) = (tmp_path / "yonder").glob("*/run")
    assert_complete(path, trials=2, steps=150)
    for name, text in uploaded(url).items():
        assert (path / name).read_bytes() == text, name
    assert_sound(Remote.at(f"{url}/run"), tmp_path)
    # What the first one did is there, readable, and is not mixed up with the rest.
    assert steps_here(tmp_path, "there") > 10
    back = machine("there", "restore", url)
    assert "went on in two ways" in back.communicate(timeout=60)[0]
    # As the messages say, a copy can go on by itself.
    copy = shutil.copytree(kept, tmp_path / "copy")
    (copy / ".origin.json").unlink()
    before = uploaded(url)
    grid = tune.Tuner.restore(copy, stepping).fit()
    assert_complete(grid.experiment_path, trials=2, steps=150)
    assert uploaded(url) == before


def test_after_an_outage_somebody_else_may_have_gone_on(s3, bucket, proxy, s3_port, machine, tmp_path):
    url = f"s3://{bucket}/results"
    first = machine("there", "begin", url, steps=400, pause=0.05)
    wait_for(lambda: len(uploaded(url)) and steps_here(tmp_path, "there") > 10, first)
    proxy.fail()  # for the first one: the other goes another way
    second = machine("yonder", "restore", url, AWS_ENDPOINT_URL=f"http://127.0.0.1:{s3_port}")
    wait_for(lambda: steps_here(tmp_path, "yonder") > 60, second)
    assert first.poll() is None
    before = steps_here(tmp_path, "there")
    proxy.mend()
    said = first.communicate(timeout=60)[0]
    assert first.returncode == 3 and "was taken over by" in said, said
    assert steps_here(tmp_path, "there") >= before
    assert second.poll() is None
    second.kill()


def test_to_delete_the_lease_takes_it_from_a_driver_that_lives(s3, bucket, here):
    url = f"s3://{bucket}/results"
    running = tuner(url, steps=400, trials=1, pause=0.05).fit(background=True)
    remote = Remote.at(f"{url}/run")
    wait_for(lambda: remote.sizes("events"))

    def end() -> None:
        for _ in range(20):  # a renewal that is being written in this moment brings the lease back
            remote.delete(remote.sizes(FOLDER))
            with contextlib.suppress(TimeoutError):
                running.result(2)

    with pytest.raises(TakenOver, match=r"was deleted\. This run has ended"):
        end()


def test_two_that_begin_at_once_under_one_name(s3, bucket, machine, tmp_path):
    url = f"s3://{bucket}/results"
    both = [machine(host, "begin", url, steps=20) for host in ("there", "yonder")]
    said = [driver.communicate(timeout=60)[0] for driver in both]
    codes = sorted(driver.returncode for driver in both)
    assert codes in ([0, 1], [0, 3]), said
    (loser,) = (text for driver, text in zip(both, said, strict=True) if driver.returncode)
    assert "ExperimentExists" in loser or "is being written by process" in loser, loser
    assert_sound(Remote.at(f"{url}/run"), tmp_path)


def test_nothing_runs_while_nobody_knows_who_drives(s3, bucket, proxy, here):
    url = f"s3://{bucket}/results"
    grid = tuner(url, steps=2, trials=1).fit()
    again = tune.Tuner.restore(grid.experiment_path, stepping, tune_config=tune.TuneConfig(num_samples=2))
    proxy.fail()
    with pytest.raises(StoreFailed, match="cannot be told that this process goes on"):
        again.fit()
    assert len(again.get_results()) == 1


def test_what_another_machine_did_between_restore_and_fit_is_fetched(s3, bucket, tmp_path, monkeypatch, here):
    url = f"s3://{bucket}/results"
    tuner(url, steps=3, trials=2).fit()
    waiting = tune.Tuner.restore(f"{url}/run", stepping)
    monkeypatch.setenv("LUTHIER_STAGING", str(tmp_path / "there"))
    more = tune.TuneConfig(num_samples=2)
    assert len(tune.Tuner.restore(f"{url}/run", stepping, tune_config=more).fit()) == 4
    monkeypatch.setenv("LUTHIER_STAGING", str(here))
    assert len(waiting.fit()) == 4


def test_an_upload_is_finished_by_one_at_a_time_too(s3, bucket, here):
    from luthier.tune.elsewhere import finish_upload

    url = f"s3://{bucket}/results"
    grid = tuner(url, steps=2, trials=1).fit()
    remote = Remote.at(f"{url}/run")
    lease = Lease.take(remote, claim_of_this_process(20.0))
    stop = threading.Event()

    def live():
        while not stop.wait(0.3):
            lease.renew()

    thread = threading.Thread(target=live)
    thread.start()
    try:
        with pytest.raises(Conflict, match="is being written by"):
            finish_upload(grid.experiment_path, 10.0, lambda _: None)
    finally:
        stop.set()
        thread.join()
    lease.release()
    assert finish_upload(grid.experiment_path, 10.0, lambda _: None) == f"{url}/run"
