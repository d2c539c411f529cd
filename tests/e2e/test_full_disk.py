"""A disk that really is full: a tmpfs of a few megabytes, in a mount namespace of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'
NAMESPACES = (["unshare", "-m"], ["unshare", "-r", "-m"])  # the second for those who are not root

COMMON = """
    import logging, os, sys, tempfile
    from pathlib import Path
    from luthier import tune
    from luthier.core.errors import CheckpointFailed, StoreFull
    from luthier.tune.past import Past

    disk = Path(sys.argv[1])
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(2_500_000))

    def free():
        return os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
"""


def on_small_disk(tmp_path, script, size="4m"):
    """Run *script* where ``sys.argv[1]`` is a disk of *size*; return what it printed."""
    place = tmp_path / "disk"
    place.mkdir()
    file = tmp_path / "script.py"
    file.write_text(textwrap.dedent(COMMON) + textwrap.dedent(script))
    for namespace in NAMESPACES:
        allowed = subprocess.run(
            [*namespace, "sh", "-c", MOUNT, "sh", "1m", place, "true"], capture_output=True, check=False
        )
        if allowed.returncode == 0:
            command = [*namespace, "sh", "-c", MOUNT, "sh", size, place, sys.executable, file, place]
            done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-5000:]
            return done.stdout + done.stderr
    pytest.skip("nobody may mount anything here; test_misbehaviour.py has the same with a limit on file sizes")


def test_a_full_disk_ends_the_experiment_and_it_goes_on_once_there_is_room(tmp_path):
    said = on_small_disk(
        tmp_path,
        """
        def objective(config):
            restored = tune.get_checkpoint()
            start = restored.to_dict()["i"] + 1 if restored is not None else 0
            for i in range(start, 4000 if ballast.exists() else start + 10):
                if i % 100 == 0:
                    tune.report({"i": i, "pad": "x" * 300}, checkpoint=tune.Checkpoint.from_dict({"i": i}))
                else:
                    tune.report({"i": i, "pad": "x" * 300})

        run = tune.RunConfig(name="e", storage_path=disk, verbose=0,
                             checkpoint_config=tune.CheckpointConfig(num_to_keep=1))
        try:
            tune.Tuner(objective, run_config=run).fit()
        except StoreFull as error:
            print("STOPPED", error)
        assert free() < 100_000
        (trial,) = Past(disk / "e").experiment.trials.values()  # the log can be read, full as the disk is
        last = trial.metrics["i"]
        assert last > 100
        ballast.unlink()
        (result,) = tune.Tuner.restore(disk / "e", objective).fit()
        assert result.error is None
        seen = list(result.metrics_dataframe["i"])
        checkpointed = last // 100 * 100
        assert seen == [*range(last + 1), *range(checkpointed + 1, checkpointed + 11)], seen[-20:]
        print("WENT ON")
        """,
    )
    assert "cannot grow: No space left on device" in said
    assert "What was recorded is safe. Make room" in said
    assert "the disk of" in said  # the guard has warned
    assert "nearly full" in said
    assert said.count("STOPPED") == said.count("WENT ON") == 1


def test_a_checkpoint_without_room_fails_its_trial_and_leaves_nothing(tmp_path):
    on_small_disk(
        tmp_path,
        """
        def objective(config):
            restored = tune.get_checkpoint()
            start = int((Path(restored.path) / "i").read_text()) + 1 if restored is not None else 0
            for i in range(start, 3):
                with tempfile.TemporaryDirectory() as folder:
                    (Path(folder) / "model").write_bytes(bytes(1_000_000) if config["big"] else b"")
                    (Path(folder) / "i").write_text(str(i))
                    tune.report({"i": i}, checkpoint=tune.Checkpoint.from_directory(folder))

        run = tune.RunConfig(name="e", storage_path=disk, verbose=0, resources={"cpu": 1})
        grid = tune.Tuner(objective, param_space={"big": tune.grid_search([True, False])}, run_config=run).fit()
        big, small = grid
        assert small.error is None and list(small.metrics_dataframe["i"]) == [0, 1, 2]
        assert isinstance(big.error, CheckpointFailed), big.error
        text = str(big.error)
        assert "cannot be kept in" in text and "No space left on device (" in text and "MB free there)" in text, text
        assert "num_to_keep" in text
        count = len(big.metrics_dataframe)
        assert count == 1, count
        left = sorted(p.name for p in Path(big.path).iterdir() if "checkpoint" in p.name or "saving" in p.name)
        assert left == [".checkpoint_000000.json", "checkpoint_000000"], left
        assert free() > 300_000
        ballast.unlink()
        big, small = tune.Tuner.restore(disk / "e", objective, resume_errored=True).fit()
        assert big.error is None and list(big.metrics_dataframe["i"]) == [0, 1, 2]
        """,
    )
