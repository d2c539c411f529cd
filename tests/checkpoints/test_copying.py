"""Ways to copy a file: whichever works, what comes out is the same."""

from __future__ import annotations

import errno
import os

import pytest

from luthier.checkpoints import copying
from luthier.checkpoints.copying import copy_tree

BYTES = os.urandom((5 << 20) + 17)


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "big").write_bytes(BYTES)
    (folder / "big").chmod(0o640)
    (folder / "empty").touch()
    return folder


def refusing(code):
    def way(reader, writer, size):
        raise OSError(code, os.strerror(code))

    return way


def half(reader, writer, size):
    """Copy half of it and see no more of it: a file system that is not what it seems."""
    os.sendfile(writer, reader, 0, size // 2)
    return False


@pytest.mark.parametrize(
    "ways",
    [
        copying._WAYS,
        [copying._copied_by_range],
        [copying._sent],
        [],
        [refusing(errno.EOPNOTSUPP), refusing(errno.EXDEV), copying._sent],
        [half],
        [half, copying._copied_by_range],
    ],
    ids=["all", "range", "sendfile", "none", "refused", "half", "half and range"],
)
@pytest.mark.parametrize("chunk", [1 << 30, 1 << 20])
def test_every_way(source, tmp_path, monkeypatch, ways, chunk):
    monkeypatch.setattr(copying, "_WAYS", ways)
    monkeypatch.setattr(copying, "_CHUNK", chunk)
    copy_tree(str(source), str(tmp_path / "a" / "target"))
    copy = tmp_path / "a" / "target"
    assert (copy / "big").read_bytes() == BYTES
    assert (copy / "big").stat().st_mode & 0o777 == 0o640
    assert (copy / "empty").read_bytes() == b""


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_where_no_way_can_help_the_first_error_counts(source, tmp_path, monkeypatch, code):
    monkeypatch.setattr(copying, "_WAYS", [refusing(code), refusing(errno.EXDEV)])
    with pytest.raises(OSError, match="big") as caught:
        copy_tree(str(source), str(tmp_path / "target"))
    assert caught.value.errno == code


def test_files_that_have_no_size_and_yet_something_to_read(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "version").symlink_to("/proc/version")
    copy_tree(str(source), str(tmp_path / "target"))
    assert (tmp_path / "target" / "version").read_bytes().startswith(b"Linux")
