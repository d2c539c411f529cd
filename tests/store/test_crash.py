"""Writers that are killed, and disks that are full: what was acknowledged stays."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from luthier.core import events as ev
from luthier.store.jsonl import JsonlStore

WRITER = """if True:
    import os, sys
    from luthier.core.events import Enqueued, Reported
    from luthier.store.jsonl import JsonlStore
    store = JsonlStore(sys.argv[1], fsync=sys.argv[2], segment_bytes=100_000)
    end = sum(len(record.events) for record in store.read())
    os.write(1, b"%d\\n" % end)
    while True:
        batch = [Reported("t0", 1, end + i, {"loss": 0.5, "text": "x" * (end % 7000)}) for i in range(1 + end % 3)]
        end = store.append(batch, after=end)
        os.write(1, b"%d\\n" % end)     # acknowledged
"""


def checked(directory):
    """Return how many events the log holds, all of them being what was written."""
    end = 0
    for record in JsonlStore(directory, readonly=True).read():
        assert record.first == end
        assert len(record.events) == 1 + end % 3
        for i, event in enumerate(record.events):
            assert event == ev.Reported(event.trial, 1, end + i, {"loss": 0.5, "text": "x" * (end % 7000)})
        end = record.end
    return end


@pytest.mark.parametrize("fsync", ["never", "interval", "always"])
def test_what_was_acknowledged_survives_a_kill_at_any_moment(tmp_path, fsync):
    chance = random.Random(fsync)
    before = 0
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, str(tmp_path), fsync]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stderr is not None
            first = writer.stdout.readline()
            assert first, writer.stderr.read().decode()
            assert int(first) == before
            deadline = time.monotonic() + chance.uniform(0.0, 0.15)
            told = [first]
            while time.monotonic() < deadline:
                told.append(writer.stdout.readline())
            writer.kill()
            told += writer.stdout.read().splitlines(keepends=True)
            assert writer.wait() == -9
        acknowledged = int([line for line in told if line.endswith(b"\n")][-1])
        before = checked(tmp_path)
        assert before >= acknowledged
    assert before > 50


# Without privileges, on any file system: a limit on the size of files plays the disk that is full.
FILLER = """if True:
    import os, resource, signal, sys
    from luthier.core.errors import StoreFull
    from luthier.core.events import Enqueued
    from luthier.store.jsonl import JsonlStore
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
    store = JsonlStore(sys.argv[1])
    end = 0
    try:
        while True:
            end = store.append([Enqueued({"x": "y" * 777})], after=end)
    except StoreFull as error:
        print(error, file=sys.stderr)
    size = os.path.getsize(os.path.join(sys.argv[1], "events", "events-000000000000.jsonl"))
    assert size < 50_000, size                      # the half batch was taken back
    small = store.append([Enqueued({})], after=end) # what fits still goes in
    assert small == end + 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for _ in range(3):                              # and once there is room, all goes on
        small = store.append([Enqueued({"x": "y" * 777})], after=small)
    store.close()
    print(small)
"""


def test_a_full_disk_costs_nothing_that_was_acknowledged(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FILLER, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "cannot grow: File too large" in done.stderr
    assert "Make room" in done.stderr
    reader = JsonlStore(tmp_path, readonly=True)
    assert sum(len(record.events) for record in reader.read()) == int(done.stdout) > 50
    assert reader.torn == ()
