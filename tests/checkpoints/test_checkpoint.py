from __future__ import annotations

import gc
import pickle
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from luthier.checkpoints.base import Checkpoint


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "given"
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_bytes(b"A" * 10)
    (folder / "sub" / "b").write_bytes(b"")
    return folder


def files(folder) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


def test_to_directory_copies(folder, tmp_path):
    checkpoint = Checkpoint.from_directory(folder)
    for target in (tmp_path / "new", None):
        copy = checkpoint.to_directory(target)
        assert files(copy) == {"a": b"A" * 10, "sub/b": b""}
        Path(copy, "a").write_bytes(b"changed")
    assert files(folder)["a"] == b"A" * 10


def test_as_directory_does_not_copy(folder):
    with Checkpoint(folder).as_directory() as given:
        assert Path(given) == folder
    assert folder.is_dir()


def test_what_is_gone_says_so(tmp_path):
    checkpoint = Checkpoint(tmp_path / "never")
    with pytest.raises(FileNotFoundError, match="never"), checkpoint.as_directory():
        pass
    with pytest.raises(FileNotFoundError, match="never"):
        checkpoint.to_directory(tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_metadata(folder):
    checkpoint = Checkpoint(folder)
    assert checkpoint.get_metadata() == {}
    checkpoint.set_metadata({"a": 1})
    checkpoint.update_metadata({"b": [2]})
    assert Checkpoint(folder).get_metadata() == {"a": 1, "b": [2]}
    with pytest.raises(TypeError):
        checkpoint.set_metadata({"c": object()})
    assert checkpoint.get_metadata() == {"a": 1, "b": [2]}
    assert sorted(p.name for p in folder.iterdir()) == [".metadata.json", "a", "sub"]


def test_being_a_value(folder, tmp_path, monkeypatch):
    checkpoint = Checkpoint(folder)
    assert (
        checkpoint
        == Checkpoint(str(folder) + "/")
        == Checkpoint(folder, LocalFileSystem())
        == Checkpoint(f"file://{folder}")
    )
    assert checkpoint != Checkpoint(tmp_path)
    assert checkpoint != Checkpoint("memory://" + str(folder))
    assert checkpoint != str(folder)
    assert len({checkpoint, Checkpoint(folder)}) == 1
    assert pickle.loads(pickle.dumps(checkpoint)) == checkpoint
    assert str(folder) in repr(checkpoint)
    assert isinstance(checkpoint.filesystem, LocalFileSystem)
    monkeypatch.chdir(tmp_path)
    assert Checkpoint("given") == checkpoint
    with pytest.raises(TypeError, match="as_directory"):
        Path(checkpoint)
    with pytest.raises(TypeError, match="path"):
        Checkpoint(3)  # type: ignore[arg-type]


def test_elsewhere(tmp_path):
    fs = MemoryFileSystem()
    fs.pipe({"/cp/a": b"1", "/cp/sub/b": b"2"})
    checkpoint = Checkpoint("memory://cp")
    assert checkpoint.local_path is None
    assert checkpoint == Checkpoint("/cp", fs)
    with checkpoint.as_directory() as copy:
        assert files(copy) == {"a": b"1", "sub/b": b"2"}
    assert not Path(copy).exists()
    checkpoint.set_metadata({"x": 1})
    checkpoint.update_metadata({"y": 2})
    assert checkpoint.get_metadata() == {"x": 1, "y": 2}
    assert pickle.loads(pickle.dumps(checkpoint)) == checkpoint
    with pytest.raises(FileNotFoundError):
        Checkpoint("memory://none").to_directory(tmp_path / "x")
    fs.rm("/cp", recursive=True)


def test_a_dict_and_back():
    checkpoint = Checkpoint.from_dict({"epoch": 3, "state": {1: b"x"}})
    assert checkpoint.to_dict() == {"epoch": 3, "state": {1: b"x"}}
    path = Path(checkpoint.path)
    del checkpoint
    gc.collect()
    assert not path.exists()
    with pytest.raises(TypeError, match="a dict"):
        Checkpoint.from_dict([1])  # type: ignore[arg-type]


def test_no_dict_in_it(folder):
    with pytest.raises(ValueError, match="holds no dict"):
        Checkpoint(folder).to_dict()
