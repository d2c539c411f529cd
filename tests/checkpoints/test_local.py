from __future__ import annotations

import errno
import os
import shutil

import pytest

from luthier.checkpoints import copying, local
from luthier.checkpoints.base import Checkpoint
from luthier.core.errors import CheckpointFailed
from luthier.core.terms import Ref


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "sub" / "empty").mkdir(parents=True)
    (folder / "a").write_bytes(os.urandom(3 << 20))
    (folder / "sub" / "b").write_bytes(b"b")
    (folder / "sub" / "run").write_text("#!")
    (folder / "sub" / "run").chmod(0o755)
    (folder / "link").symlink_to(folder / "sub" / "b")
    return folder


@pytest.fixture
def trial_dir(tmp_path):
    folder = tmp_path / "experiment" / "t_0"
    folder.mkdir(parents=True)
    return folder


def kept(source, trial_dir, index=0, **options):
    return local.keep(Checkpoint(source), str(trial_dir), index, str(trial_dir.parent), **options)


@pytest.mark.parametrize("fsync", [False, True])
@pytest.mark.parametrize("kernel", [False, True])
def test_a_kept_checkpoint_is_a_copy(source, trial_dir, monkeypatch, fsync, kernel):
    if not kernel:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    ref, index = kept(source, trial_dir, 7, fsync=fsync)
    assert (ref, index) == ("t_0/checkpoint_000007", 7)
    copy = trial_dir / "checkpoint_000007"
    assert local.path_of(ref, str(trial_dir.parent)) == str(copy)
    assert (copy / "a").read_bytes() == (source / "a").read_bytes()
    assert (copy / "sub" / "empty").is_dir()
    assert os.access(copy / "sub" / "run", os.X_OK)
    assert not (copy / "link").is_symlink()
    assert (copy / "link").read_bytes() == b"b"
    (source / "sub" / "b").write_bytes(b"changed")
    assert (copy / "sub" / "b").read_bytes() == b"b"
    assert [p.name for p in trial_dir.iterdir()] == ["checkpoint_000007"]


def test_half_a_copy_is_never_seen(source, trial_dir, monkeypatch):
    seen = []

    def spying(path, target, **options):
        seen.append([p.name for p in trial_dir.glob("checkpoint_*")])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copying, "_copy_file", spying)
    with pytest.raises(CheckpointFailed, match=r"No space.*MB free there.*num_to_keep") as caught:
        kept(source, trial_dir)
    assert isinstance(caught.value, OSError)
    assert str(source) in str(caught.value)
    assert caught.value.errno == errno.ENOSPC
    assert seen == [[]]
    assert list(trial_dir.iterdir()) == []


def test_what_lies_there_already_is_left_alone(source, trial_dir):
    (trial_dir / "checkpoint_000000").mkdir()
    (trial_dir / "checkpoint_000001").write_text("a file")
    assert kept(source, trial_dir) == ("t_0/checkpoint_000002", 2)
    assert list((trial_dir / "checkpoint_000000").iterdir()) == []
    # a user who writes to the very place
    own = trial_dir / "checkpoint_000003"
    shutil.copytree(source, own)
    assert kept(own, trial_dir, 3) == ("t_0/checkpoint_000004", 4)
    assert own.is_dir()


def test_a_directory_that_holds_the_target(trial_dir):
    (trial_dir / "weights").write_text("w")
    ref, _ = kept(trial_dir, trial_dir)
    assert [p.name for p in (trial_dir.parent / ref).iterdir()] == ["weights"]


def test_a_source_that_is_gone(trial_dir, tmp_path):
    with pytest.raises(ValueError, match="gone") as caught:
        kept(tmp_path / "never", trial_dir)
    assert "never" in str(caught.value)
    assert list(trial_dir.iterdir()) == []


def test_taking_moves(trial_dir):
    folder = local.fresh(str(trial_dir))
    with open(os.path.join(folder, "x"), "w") as file:
        file.write("1")
    assert local.take(folder, str(trial_dir), 0, str(trial_dir.parent), fsync=True) == ("t_0/checkpoint_000000", 0)
    assert (trial_dir / "checkpoint_000000" / "x").read_text() == "1"
    assert not os.path.exists(folder)


def test_forgetting(source, trial_dir):
    ref, _ = kept(source, trial_dir)
    assert local.forget(ref, str(trial_dir.parent)) is True
    assert list(trial_dir.iterdir()) == []
    assert local.forget(ref, str(trial_dir.parent)) is False


def test_forgetting_stays_inside(source, trial_dir, tmp_path):
    experiment = str(trial_dir.parent)
    outside = tmp_path / "outside" / "checkpoint_000000"
    shutil.copytree(source, outside)
    (trial_dir.parent / "t_1").symlink_to(outside.parent)  # a trial's directory that leads away
    (trial_dir / "checkpoint_000001").symlink_to(outside)
    refs = [
        "../outside/checkpoint_000000",
        str(outside),
        "t_1/checkpoint_000000",
        "t_0/checkpoint_000001",
        ".",
        "t_0",
        "..",
    ]
    for ref in refs:
        assert local.forget(Ref(ref), experiment) is False, ref
    assert outside.is_dir()
    assert trial_dir.is_dir()


def test_sweeping(source, trial_dir):
    kept(source, trial_dir)
    local.fresh(str(trial_dir))
    (trial_dir / (local.FORGOTTEN + "1_1")).mkdir()
    (trial_dir / ".mine").mkdir()
    local.sweep(str(trial_dir))
    assert sorted(p.name for p in trial_dir.iterdir()) == [".mine", "checkpoint_000000"]


def test_sweeping_what_was_never_reported(source, trial_dir):
    for index in range(4):
        kept(source, trial_dir, index)
    for index in (0, 1, 2):  # the third is somebody's own
        (trial_dir / f".checkpoint_00000{index}.json").write_text("{}")
    (trial_dir / "checkpoint_9").mkdir()
    (trial_dir / ".checkpoint_9.json").write_text("{}")
    local.sweep(str(trial_dir), beyond=1)
    assert sorted(p.name for p in trial_dir.iterdir()) == [
        ".checkpoint_000000.json",
        ".checkpoint_9.json",
        "checkpoint_000000",
        "checkpoint_000003",
        "checkpoint_9",
    ]


def test_a_checkpoint_is_known_to_be_ours_before_it_is_there(source, trial_dir):
    (trial_dir / "checkpoint_000000").mkdir()  # somebody's own
    seen = []

    def note(path):
        seen.append((path, os.path.exists(path)))
        with open(local.progress_file(path), "w") as file:
            file.write("{}")

    assert kept(source, trial_dir, note=note) == ("t_0/checkpoint_000001", 1)
    assert seen == [(str(trial_dir / "checkpoint_000001"), False)]
    assert local.take(local.fresh(str(trial_dir)), str(trial_dir), 2, str(trial_dir.parent), note=note)[1] == 2
    assert len(seen) == 2
    local.sweep(str(trial_dir), beyond=0)
    assert [p.name for p in trial_dir.iterdir()] == ["checkpoint_000000"]


def ours(source, trial_dir, *indices):
    for index in indices:
        kept(source, trial_dir, index)
        (trial_dir / f".checkpoint_{index:06d}.json").write_text("{}")


def test_tidying_carries_out_what_was_decided(source, trial_dir):
    ours(source, trial_dir, 1, 2, 3, 4, 5)
    kept(source, trial_dir, 0)  # somebody's own
    local.fresh(str(trial_dir))
    refs = [Ref("t_0/checkpoint_000002"), Ref("t_0/checkpoint_000004")]
    local.tidy(str(trial_dir), refs, ended=False)
    seen = sorted(p.name for p in trial_dir.iterdir() if p.is_dir())
    assert seen == ["checkpoint_000000", "checkpoint_000002", "checkpoint_000004", "checkpoint_000005"]
    local.tidy(str(trial_dir), [], ended=False)
    assert sorted(p.name for p in trial_dir.iterdir() if p.is_dir()) == seen
    local.tidy(str(trial_dir), refs, ended=True)
    assert sorted(p.name for p in trial_dir.iterdir() if p.is_dir()) == seen[:-1]
    local.tidy(str(trial_dir / "nowhere"), [], ended=True)


def test_the_newest_after_one_that_is_gone(source, trial_dir):
    ours(source, trial_dir, 3, 5)
    kept(source, trial_dir, 7)  # somebody's own
    experiment = str(trial_dir.parent)
    assert local.successor(Ref("t_0/checkpoint_000002"), experiment) == "t_0/checkpoint_000005"
    assert local.successor(Ref("t_0/checkpoint_000005"), experiment) is None
    assert local.successor(Ref("t_0/mine"), experiment) is None
    assert local.successor(Ref("t_9/checkpoint_000000"), experiment) is None


def test_a_pipe_is_refused_and_not_waited_for(source, trial_dir):
    os.mkfifo(source / "sub" / "pipe")
    with pytest.raises(OSError, match="neither a file nor a directory"):
        kept(source, trial_dir)
    assert list(trial_dir.iterdir()) == []


def test_a_folder_that_holds_the_trials_own_is_not_copied_into_itself(trial_dir, tmp_path):
    (tmp_path / "file").write_text("x")
    kept(tmp_path, trial_dir)
    assert (trial_dir / "checkpoint_000000" / "file").read_text() == "x"
    assert [p.name for p in (trial_dir / "checkpoint_000000" / "experiment" / "t_0").iterdir()] == []


def test_the_note_is_there_before_the_checkpoint(source, trial_dir):
    noted = []

    def note(path):
        assert not os.path.exists(path)
        noted.append(os.path.basename(path))
        with open(local.progress_file(path), "w") as file:
            file.write("{}")

    (trial_dir / "checkpoint_000000").write_text("somebody's own")
    assert kept(source, trial_dir, note=note) == ("t_0/checkpoint_000001", 1)
    assert noted == ["checkpoint_000001"]
    assert (trial_dir / ".checkpoint_000001.json").exists()


def test_a_note_that_fails_leaves_nothing_behind(source, trial_dir):
    def note(path):
        with open(local.progress_file(path), "w"):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        kept(source, trial_dir, note=note)
    assert list(trial_dir.iterdir()) == []
