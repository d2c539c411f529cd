"""Large files through W&B's own client; uploads that break off, and disks without room."""

from __future__ import annotations

import errno
import os
import socket
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from luthier.server import shelf
from luthier.server.app import create_app
from luthier.server.wandb import routes
from tests.server.wandb.conftest import Place
from tests.server.wandb.mortal import Mortal

WORK = """
import hashlib, os, sys, time, wandb
block, wanted = os.urandom(1 << 20), hashlib.sha256()
with open("big.bin", "wb") as file:
    for number in range(int(sys.argv[1])):
        part = number.to_bytes(8, "big") + block[8:]
        file.write(part)
        wanted.update(part)
began = time.monotonic()
with wandb.init(project="large", id="writes") as run:
    big = wandb.Artifact("big", type="data")
    big.add_file("big.bin")
    run.log_artifact(big).wait()
print(f"LOGGED in {time.monotonic() - began:.1f} s")
os.remove("big.bin")
began = time.monotonic()
with wandb.init(project="large", id="reads") as run:
    where = run.use_artifact("big:latest").download(root="down", skip_cache=True)
print(f"DOWNLOADED in {time.monotonic() - began:.1f} s")
with open("down/big.bin", "rb") as file:
    assert hashlib.file_digest(file, "sha256").digest() == wanted.digest()
"""
GROWTH = 24  # MiB that a server may grow by, whatever the size


def peak(pid: int) -> int:
    """Return the most memory that a process had so far, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


@pytest.mark.parametrize("size", [32, pytest.param(1024, marks=pytest.mark.slow)])
def test_a_large_file_goes_there_and_back_and_takes_no_memory(tmp_path, size):
    place = Place(tmp_path)
    mortal = Mortal(place)
    try:
        mortal.back()
        place.script("import wandb\nwandb.init(project='large').finish()")
        before = peak(mortal.member.process.pid)
        print(place.script(WORK, str(size)))
        grown = peak(mortal.member.process.pid) - before
        print(f"{before} MiB, and {grown} more")
        assert grown < GROWTH
        assert sum(file["size"] for file in place.get("/runs/writes/files")) > size << 20
    finally:
        place.close()
        mortal.kill()


REFUSED = """
import os, time, wandb
open("big.bin", "wb").write(os.urandom(16 << 20))
began = time.monotonic()
run = wandb.init(project="large", id="refused")
run.log({"loss": 1})
try:
    big = wandb.Artifact("big", type="data")
    big.add_file("big.bin")
    run.log_artifact(big).wait()
except Exception as error:
    print("ERROR", error)
run.save("big.bin")
run.finish()
print("SECONDS", time.monotonic() - began)
"""


def test_what_is_too_large_is_told_at_once(tmp_path, monkeypatch):
    """The client gives up when it reads 413; where the connection breaks, it tries again for a quarter of an hour."""
    monkeypatch.setattr(routes, "LARGER", (("PUT", routes.UPLOADS, 1 << 20), *routes.LARGER[1:]))
    with Place(tmp_path).serving() as place:
        _refused(place, "uploads")


def test_a_full_disk_is_told_at_once(tmp_path, monkeypatch):
    def full(file):
        if os.fstat(file.fileno()).st_size > 1 << 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        file.flush()

    monkeypatch.setattr(shelf, "_settle", full)
    with Place(tmp_path).serving() as place:
        _refused(place, "uploads")
        assert list((tmp_path / "files").rglob(".new-*")) == []


def test_a_disk_without_room_is_told_before_anything_is_sent(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "SPARE", 1 << 60)
    with Place(tmp_path).serving() as place:
        _refused(place, "no room")


def _refused(place: Place, words: str) -> None:
    printed = place.script(REFUSED)
    assert words in printed.partition("ERROR ")[2].splitlines()[0], printed
    assert float(printed.partition("SECONDS ")[2].split()[0]) < 60, "it was tried again"
    run = place.get("/runs/refused")
    assert (run["state"], run["rows"]) == ("finished", 1)
    assert not any("big.bin" in file["path"] for file in place.get("/runs/refused/files"))
    told = place.asked("RunOutputArtifacts", project="large", run="refused")
    assert told["data"]["project"]["run"]["artifacts"]["totalCount"] == 0
    place.close()


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path):
    with Place(tmp_path).serving() as place:
        place.asked("UpsertBucket", name="cut", project="large")
        told = place.asked("CreateRunFiles", project="large", run="cut", files=["half.bin"])
        (file,) = told["data"]["createRunFiles"]["files"]
        path = file["uploadUrl"].removeprefix(place.url)
        with socket.create_connection(("127.0.0.1", place.port)) as wire:
            wire.sendall(f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n".encode())
            wire.sendall(bytes(500_000))
            until = time.monotonic() + 20
            while not any((tmp_path / "files").glob(".new-*")):
                assert time.monotonic() < until
        while any((tmp_path / "files").glob(".new-*")):
            assert time.monotonic() < until
        assert place.get("/runs/cut/files") == []
        assert [path for path in (tmp_path / "files").rglob("*") if path.is_file() and path.name != ".secret"] == []


def test_what_a_killed_server_left_half_way_is_cleared_up(tmp_path):
    kept = shelf.Shelf(tmp_path)
    for name in (".new-old", ".new-fresh", "ab/.new-restored", "ab/abcd"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"half")
    now = time.time()
    for name in (".new-old", "ab/.new-restored", "ab/abcd"):
        os.utime(tmp_path / name, (now - 7200, now - 7200))
    kept.tidy(now)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {".new-fresh", "ab/abcd"}


def test_an_answer_to_a_body_that_still_comes_is_read(tmp_path):
    """A refusal before the body was read: the client hears it, though it is at writing."""
    with Place(tmp_path).serving() as place:
        for headers, status in (("Content-Length: 40000000", 413), ("Transfer-Encoding: chunked", 401)):
            with socket.create_connection(("127.0.0.1", place.port)) as wire:
                wire.settimeout(20)
                wire.sendall(f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n\r\n".encode())
                chunk = bytes(1_000_000)
                for _ in range(40):
                    wire.sendall(chunk if "Length" in headers else b"%x\r\n%s\r\n" % (len(chunk), chunk))
                assert wire.recv(1000).startswith(b"HTTP/1.1 %d " % status)


def test_the_rest_of_the_server_says_that_there_is_no_room(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "SPARE", 1 << 60)
    app = create_app(f"sqlite:///{tmp_path}/server.db", files=tmp_path / "files")
    with TestClient(app, base_url="http://127.0.0.1") as client:
        client.post("/graphql", json={"operationName": "UpsertBucket", "variables": {"name": "r", "project": "p"}})
        reply = client.put("/api/v1/runs/r/files/a.bin", content=b"bytes")
        assert (reply.status_code, reply.json()["detail"]) == (507, "the server's disk has no room for 0.0 MB")
