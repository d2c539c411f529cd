"""Checkpoints as zips: all comes back, and nothing gets out."""

from __future__ import annotations

import os
import stat
import zipfile

import pytest

from luthier.agent.parcel import pack, unpack
from luthier.core.errors import LuthierError


def test_a_directory_comes_back(tmp_path):
    folder = tmp_path / "ckpt"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "deep" / "er" / "model.bin").write_bytes(os.urandom(300_000))
    (folder / "ünïcode name").write_text("x")
    (folder / "link").symlink_to(folder / "ünïcode name")
    os.mkfifo(folder / "pipe")
    pack(str(folder), tmp_path / "p.zip")
    unpack(tmp_path / "p.zip", tmp_path / "back")
    model = tmp_path / "back" / "deep" / "er" / "model.bin"
    assert model.read_bytes() == (folder / "deep" / "er" / "model.bin").read_bytes()
    assert sorted(os.listdir(tmp_path / "back")) == ["deep", "empty", "link", "ünïcode name"]
    assert (tmp_path / "back" / "link").read_text() == "x"


def test_nothing_comes_of_nothing(tmp_path):
    with pytest.raises(LuthierError, match="no directory"):
        pack(str(tmp_path / "none"), tmp_path / "p.zip")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out", "..\\out", "a\\..\\..\\out"])
def test_names_that_lead_out_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as parcel:
        parcel.writestr(name, "x")
    with pytest.raises(LuthierError, match="leads out"):
        unpack(tmp_path / "p.zip", tmp_path / "in" / "back")
    assert not list(tmp_path.glob("**/out"))


def test_links_are_refused(tmp_path):
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as parcel:
        parcel.writestr(entry, "/etc")
        parcel.writestr("link/x", "x")
    with pytest.raises(LuthierError, match="link"):
        unpack(tmp_path / "p.zip", tmp_path / "back")


def test_too_much_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "p.zip", "w", zipfile.ZIP_DEFLATED) as parcel:
        parcel.writestr("zeros", b"\0" * 1_000_000)
    with pytest.raises(LuthierError, match="more than 100000 bytes"):
        unpack(tmp_path / "p.zip", tmp_path / "back", largest=100_000)


def test_what_is_no_zip_is_refused(tmp_path):
    (tmp_path / "p.zip").write_bytes(b"PK nothing")
    with pytest.raises(LuthierError, match="damaged"):
        unpack(tmp_path / "p.zip", tmp_path / "back")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as parcel:
        parcel.writestr("a", b"hello hello")
    data = bytearray((tmp_path / "p.zip").read_bytes())
    data[data.index(b"hello")] ^= 1
    (tmp_path / "p.zip").write_bytes(data)
    with pytest.raises(LuthierError, match="damaged"):
        unpack(tmp_path / "p.zip", tmp_path / "back2")


def test_links_that_lead_nowhere_are_left_out(tmp_path):
    folder = tmp_path / "ckpt"
    folder.mkdir()
    (folder / "model").write_text("x")
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    (folder / "round").symlink_to(folder / "round")
    pack(str(folder), tmp_path / "p.zip")
    unpack(tmp_path / "p.zip", tmp_path / "back")
    assert os.listdir(tmp_path / "back") == ["model"]


def test_a_bomb_does_not_go_off(tmp_path):
    with zipfile.ZipFile(tmp_path / "p.zip", "w", zipfile.ZIP_DEFLATED) as parcel:
        for part in range(120):
            parcel.writestr(f"zeros-{part}", b"\0" * (1 << 20))
    assert (tmp_path / "p.zip").stat().st_size < 200_000
    with pytest.raises(LuthierError, match="more than"):
        unpack(tmp_path / "p.zip", tmp_path / "back")
    assert not (tmp_path / "back").exists()
