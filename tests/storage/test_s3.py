"""Experiments that live in a bucket: through an outage, a killed driver, and a machine that is gone."""

from __future__ import annotations

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
from luthier.core.errors import BadArgument, Conflict, ExperimentExists, NotAnExperiment, StoreFailed
from luthier.store.remote import Remote
from tests.storage.trainings import assert_complete, assert_sound, tuner

DRIVER = Path(__file__).with_name("driver.py")


def test_all_of_it_is_up_in_the_end(s3, bucket, tmp_path):
    grid = tuner(f"s3://{bucket}/results", steps=4, trials=3, executor="inline").fit()
    here, there = Path(grid.experiment_path), f"{bucket}/results/run"
    assert str(here).startswith(str(tmp_path / "staging"))
    up = set(s3.find(there))
    for path in here.rglob("*"):
        name = str(path.relative_to(here))
        if path.is_file() and name not in (".head", ".lock", ".uploaded.jsonl", ".origin.json"):
            assert f"{there}/{name}" in up, name
            assert s3.cat_file(f"{there}/{name}") == path.read_bytes(), name
    assert sum(name.endswith("/weights") for name in up) == 3  # the last checkpoint of each
    assert not [name for name in up if "/.uploading/" in name or name.endswith((".lock", ".origin.json"))]


def test_a_machine_that_knows_nothing_goes_on(s3, bucket, tmp_path):
    url = f"s3://{bucket}/results"
    first = tuner(url, steps=4, trials=2, stop={"step": 2})
    grid = first.fit()
    path = f"{url}/run"
    shutil.rmtree(tmp_path / "staging")

    assert tune.Tuner.can_restore(path)
    assert not tune.Tuner.can_restore(f"{url}/other")
    analysis = tune.ExperimentAnalysis(path, default_metric="step", default_mode="max")
    assert [len(frame) for frame in analysis.trial_dataframes.values()] == [2, 2]
    checkpoint = analysis.best_checkpoint
    assert checkpoint is not None and checkpoint.path == f"{bucket}/results/run/{_folder(grid[0])}/checkpoint_000001"
    with checkpoint.as_directory() as folder:
        assert Path(folder, "state", "step.json").read_text() == "2"


def test_unfinished_trials_go_on_from_the_bucket_alone(s3, bucket, tmp_path):
    url = f"s3://{bucket}/results"
    running = tuner(url, steps=60, trials=2, pause=0.05).fit(background=True)
    _wait_for(lambda: len(_steps(running.directory)) >= 6)
    running.stop()
    before = running.result(60)
    told = [result.metrics["step"] for result in before]
    assert all(step < 60 for step in told)
    shutil.rmtree(tmp_path / "staging")

    grid = tune.Tuner.restore(f"{url}/run", _training()).fit()
    assert_complete(grid.experiment_path, trials=2, steps=60)
    assert [result.metrics["from"] for result in grid] == told  # from the checkpoint, not from the beginning
    assert_sound(Remote.at(f"{url}/run"), tmp_path)


def test_an_outage_stops_nothing_and_loses_nothing(s3, bucket, proxy, tmp_path, request):
    outage(s3, bucket, proxy, tmp_path, seconds=5.0, pause=0.04)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_outage_of_a_minute(s3, bucket, proxy, tmp_path):
    outage(s3, bucket, proxy, tmp_path, seconds=60.0, pause=0.3)


def outage(s3, bucket, proxy, tmp_path, *, seconds, pause):
    url, steps = f"s3://{bucket}/results", round(seconds * 1.6 / pause)
    running = tuner(url, steps=steps, trials=2, pause=pause).fit(background=True)
    _wait_for(lambda: s3.exists(f"{bucket}/results/run/events/events-000000000000.jsonl"))
    proxy.fail()
    before, began = len(_steps(running.directory)), time.monotonic()
    time.sleep(seconds)
    during, lasted = len(_steps(running.directory)) - before, time.monotonic() - began
    assert not running.done()
    assert proxy.refused > 0  # it has tried
    assert during >= 0.5 * 2 * lasted / pause * 0.8  # two trials that only sleep: they went on as before
    _sound_later = Remote.at(f"{url}/run")
    proxy.mend()
    s3.invalidate_cache()
    grid = running.result(300)
    assert_complete(grid.experiment_path, trials=2, steps=steps)
    shutil.rmtree(tmp_path / "staging")
    assert assert_sound(_sound_later, tmp_path) == 2
    assert_complete(tune.Tuner.restore(f"{url}/run", _training()).get_results().experiment_path, trials=2, steps=steps)


def test_the_bucket_is_sound_at_every_moment(s3, bucket, tmp_path):
    url = f"s3://{bucket}/results"
    running = tuner(url, steps=150, trials=2, pause=0.01).fit(background=True)
    remote, looks = Remote.at(f"{url}/run"), 0
    while not running.done():
        looks += assert_sound(remote, tmp_path) > 0
    running.result(60)
    assert looks >= 3


def test_what_was_not_up_in_time_is_uploaded_later(s3, bucket, proxy, tmp_path, caplog):
    url = f"s3://{bucket}/results"
    sync = tune.SyncConfig(sync_timeout=0.5, upload_period_s=0.1)
    running = tuner(url, steps=30, trials=1, pause=0.05, sync_config=sync).fit(background=True)
    _wait_for(lambda: len(_steps(running.directory)) >= 3)
    proxy.fail()
    grid = running.result(60)
    assert "not all of the experiment is up" in caplog.text and f"luthier sync {grid.experiment_path}" in caplog.text
    assert_complete(grid.experiment_path, trials=1, steps=30)
    proxy.mend()

    done = subprocess.run(
        [sys.executable, "-m", "luthier.cli.main", "sync", grid.experiment_path],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{url}/run" in done.stdout
    shutil.rmtree(tmp_path / "staging")
    assert_complete(tune.Tuner.restore(f"{url}/run", _training()).get_results().experiment_path, trials=1, steps=30)


@pytest.mark.parametrize("staging_survives", [True, False])
def test_a_killed_driver(s3, bucket, tmp_path, staging_survives):
    url = f"s3://{bucket}/results"
    driver = subprocess.Popen([sys.executable, str(DRIVER), url, "80", "0.03"], stderr=subprocess.PIPE)
    _wait_for(lambda: _uploaded_steps(f"{url}/run", tmp_path) >= 10, driver)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    if not staging_survives:
        shutil.rmtree(tmp_path / "staging")
    remote_steps = _uploaded_steps(f"{url}/run", tmp_path)
    assert_sound(Remote.at(f"{url}/run"), tmp_path)

    restored = tune.Tuner.restore(f"{url}/run", _training())
    assert len(_steps(restored.get_results().experiment_path)) >= remote_steps
    grid = restored.fit()
    assert_complete(grid.experiment_path, trials=2, steps=80)
    assert all(result.metrics["from"] > 0 for result in grid)  # not from the beginning
    shutil.rmtree(tmp_path / "staging")
    assert_complete(tune.Tuner.restore(f"{url}/run", _training()).get_results().experiment_path, trials=2, steps=80)


def test_another_machine_went_on_meanwhile(s3, bucket, tmp_path, monkeypatch):
    url = f"s3://{bucket}/results"
    running = tuner(url, steps=60, trials=1, pause=0.05).fit(background=True)
    _wait_for(lambda: len(_steps(running.directory)) >= 3)
    running.stop()
    running.result(60)
    # Another machine has a staging directory of its own, which knows what this one knows.
    own = tmp_path / "staging"
    shutil.copytree(own, tmp_path / "other")
    monkeypatch.setenv("LUTHIER_STAGING", str(tmp_path / "other"))
    other = tune.Tuner.restore(f"{url}/run", _training()).fit()
    assert_complete(other.experiment_path, trials=1, steps=60)

    monkeypatch.setenv("LUTHIER_STAGING", str(own))
    again = tune.Tuner.restore(f"{url}/run", _training()).get_results()  # behind: it catches up
    assert_complete(again.experiment_path, trials=1, steps=60)


def test_two_machines_that_both_went_on_are_told_apart(s3, bucket, tmp_path, monkeypatch):
    from luthier.core.events import Stalled
    from luthier.store.jsonl import JsonlStore

    url = f"s3://{bucket}/results"
    grid = tuner(url, steps=2, trials=1, executor="inline").fit()
    own = tmp_path / "staging"
    shutil.copytree(own, tmp_path / "other")
    with JsonlStore(grid.experiment_path) as store:  # not uploaded
        store.append([Stalled()], sum(len(record.events) for record in store.read()))
    monkeypatch.setenv("LUTHIER_STAGING", str(tmp_path / "other"))
    more = tune.TuneConfig(num_samples=2)
    tune.Tuner.restore(f"{url}/run", _training(), tune_config=more).fit()
    monkeypatch.setenv("LUTHIER_STAGING", str(own))
    with pytest.raises(Conflict, match="went on in two ways"):
        tune.Tuner.restore(f"{url}/run", _training())


def test_a_name_that_is_taken(s3, bucket, tmp_path):
    url = f"s3://{bucket}/results"
    tuner(url, steps=1, executor="inline").fit()
    shutil.rmtree(tmp_path / "staging")
    with pytest.raises(ExperimentExists, match=f"restore\\('{url}/run'"):
        tuner(url, steps=1, executor="inline").fit()
    assert not list((tmp_path / "staging").rglob("*.json"))


def test_a_bucket_that_is_not_there_is_told_before_any_trial(s3, tmp_path):
    ran = []
    with pytest.raises(BadArgument, match="storage_path='s3://no-such-bucket/x'"):
        tuner("s3://no-such-bucket/x", trainable=lambda config: ran.append(1), executor="inline").fit()
    assert not ran
    assert not s3.exists("no-such-bucket")
    assert not list((tmp_path / "staging").rglob("*"))


def test_a_server_that_is_not_there_is_told_before_any_trial(s3, bucket, proxy):
    proxy.fail()
    with pytest.raises(BadArgument, match="can be reached"):
        tuner(f"s3://{bucket}/x", executor="inline").fit()
    with pytest.raises(StoreFailed, match="cannot be read"):
        tune.Tuner.restore(f"s3://{bucket}/x/run", _training())


def test_nothing_of_how_to_get_in_is_written_down(s3, bucket, proxy, tmp_path):
    import s3fs

    filesystem = s3fs.S3FileSystem(
        key="the-key-of-somebody", secret="the-secret-of-somebody", endpoint_url=f"http://127.0.0.1:{proxy.port}"
    )
    grid = tuner(f"{bucket}/results", steps=2, executor="inline", storage_filesystem=filesystem).fit()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    secrets = (b"the-key-of-somebody", b"the-secret-of-somebody", b"testing-very-secret")
    assert not [path for path in files if any(secret in path.read_bytes() for secret in secrets)]
    assert not [name for name in s3.find(f"{bucket}/results") if any(secret in s3.cat_file(name) for secret in secrets)]
    again = tune.Tuner.restore(f"{bucket}/results/run", _training(), storage_filesystem=filesystem)
    assert len(again.get_results()) == len(grid)
    shutil.rmtree(tmp_path / "staging")
    assert (
        len(tune.Tuner.restore(f"{bucket}/results/run", _training(), storage_filesystem=filesystem).get_results()) == 2
    )


def test_the_commands_take_urls(s3, bucket):
    from click.testing import CliRunner

    from luthier.cli.commands import luthier

    url = f"s3://{bucket}/results"
    tuner(url, steps=2, executor="inline").fit()
    for words, expected in (
        (["ls", url], "2 done"),
        (["ls", f"{url}/run"], "step"),
        (["show", f"{url}/run"], "2 done"),
        (["log", f"{url}/run"], "Reported"),
    ):
        done = CliRunner().invoke(luthier, words)
        assert done.exit_code == 0 and expected in done.output, done.output
    done = CliRunner().invoke(luthier, ["show", f"{url}/nothing"])
    assert done.exit_code == 2 and "no experiment" in done.output
    with pytest.raises(NotAnExperiment):
        tune.ExperimentAnalysis(f"{url}/nothing")


def _training():
    from tests.storage.trainings import stepping

    return stepping


def _folder(result):
    return os.path.basename(result.path)


def _steps(directory):
    from luthier.core import events as ev
    from luthier.tune.past import events_of

    return [event for event in events_of(str(directory)) if isinstance(event, ev.Reported)]


def _uploaded_steps(url, tmp_path):
    from luthier.store.fetch import fetch

    copy = tmp_path / f"look-{threading.get_ident()}-{time.monotonic_ns()}"
    try:
        fetch(Remote.at(url), str(copy))
    except NotAnExperiment:
        return 0
    return len(_steps(copy))


def _wait_for(condition, driver=None, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        if driver is not None and driver.poll() is not None:
            raise AssertionError(driver.communicate()[1].decode())
        assert time.monotonic() < deadline
        time.sleep(0.05)
