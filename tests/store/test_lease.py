"""The lease of an experiment that lives elsewhere: one holds it, others are refused or take over, the loser notices."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import fsspec
import msgspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from luthier.core.errors import Conflict, TakenOver
from luthier.store import lease as leases
from luthier.store.lease import SKEW_S, Claim, Lease, claim_of_this_process
from luthier.store.remote import Remote

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Time passes only while somebody sleeps; *meanwhile* is called then."""

    def __init__(self, now=1_000_000.0):
        self.now, self.slept = now, 0.0
        self.meanwhile: Callable[[], object] = lambda: None

    def monotonic(self):
        return self.now

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.slept += seconds
        self.meanwhile()

    def renews_after(self, seconds, lease, wrong_by=0.0):
        """Have the holder renew its lease after so many *seconds*; its own clock is *wrong_by* seconds."""
        until = self.slept + seconds

        def renew():
            if self.slept >= until:
                lease.renew(self.now + wrong_by)

        self.meanwhile = renew


class Simple(MemoryFileSystem):  # type: ignore[misc]
    """Knows no file that is created only if it is not there."""

    protocol = "simple"
    cachable = False

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        if mode == "create":
            raise NotImplementedError
        super().pipe_file(path, value, **kwargs)


class Careless(Simple):
    """Says that it does, and does not."""

    protocol = "s3"

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        MemoryFileSystem.pipe_file(self, path, value)


@pytest.fixture(params=[MemoryFileSystem, Simple, Careless])
def remote(request, tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "_SETTLING_S", (0.02, 0.06))
    made = Remote.at(f"memory://{tmp_path.name}/run", request.param())
    yield made
    fsspec.filesystem("memory").store.clear()


def claim(name, **more):
    return Claim(name, host=f"host-{name}", pid=7, user="anna", started=1.0, renewed=1_000_000.0, **more)


def files(remote):
    return sorted(remote.sizes(leases.FOLDER))


def test_it_is_taken_renewed_and_given_back(remote):
    clock = Clock()
    lease = Lease.take(remote, claim("a"), clock=clock)
    told = remote.read(files(remote)[0])
    lease.renew(now=1_000_005.0)
    assert remote.read(files(remote)[0]) != told
    lease.release()
    waited = clock.slept
    after = Lease.take(remote, claim("b"), clock=clock)  # at once
    assert after.number == 2 and files(remote) == [".lease/000000000002.json"]
    assert clock.slept - waited < 0.2


def test_a_driver_that_lives_is_told_of_by_name_and_left_alone(remote):
    clock = Clock()
    lease = Lease.take(remote, claim("a"), clock=clock)
    said: list[str] = []
    clock.renews_after(10, lease)
    with pytest.raises(Conflict, match="is being written by process 7 of anna on host-a, since 19") as refused:
        Lease.take(remote, claim("b"), clock=clock, say=said.append)
    assert not isinstance(refused.value, TakenOver)
    assert "60 s after its last sign of life" in str(refused.value) and f"delete {remote.url}/.lease" in str(
        refused.value
    )
    assert len(said) == 1 and "host-a" in said[0] and "up to 60 s" in said[0]
    assert clock.slept < 15
    lease.renew()


def test_without_a_sign_of_life_it_is_taken_over_and_the_old_holder_finds_out(remote):
    clock = Clock()
    old = Lease.take(remote, claim("a", term_s=30.0), clock=clock)
    began = clock.slept
    new = Lease.take(remote, claim("b"), clock=clock)
    assert 30 <= clock.slept - began < 35
    for act in (old.renew, old.release):
        with pytest.raises(TakenOver, match="was taken over by process 7 of anna on host-b"):
            act()
    new.renew()


def test_whatever_the_clocks_say_a_driver_that_renews_is_alive(remote):
    clock = Clock()
    lease = Lease.take(remote, msgspec.structs.replace(claim("a"), renewed=clock.now - 1500.0), clock=clock)
    clock.renews_after(20, lease, wrong_by=-1500.0)
    with pytest.raises(Conflict, match="host-a"):
        Lease.take(remote, claim("b"), clock=clock)


def test_nobody_waits_for_one_that_is_older_than_clocks_can_differ(remote):
    clock = Clock()
    Lease.take(remote, claim("a"), clock=clock)
    clock.now += SKEW_S + 61.0
    began = clock.slept
    Lease.take(remote, claim("b"), clock=clock)
    checked = "s3" in remote.protocols  # elsewhere this clock may be the one that is wrong
    assert clock.slept - began < 0.2 if checked else 60 <= clock.slept - began < 65


def test_nobody_waits_for_one_of_whom_it_is_known_that_it_is_dead(remote):
    clock = Clock()
    Lease.take(remote, claim("a"), clock=clock)
    began = clock.slept
    Lease.take(remote, claim("b"), own="a", clock=clock)
    assert clock.slept - began < 0.2


def test_to_delete_it_ends_the_holder(remote):
    clock = Clock()
    old = Lease.take(remote, claim("a"), clock=clock)
    remote.delete(files(remote))
    with pytest.raises(TakenOver, match=r"000000000001\.json, was deleted"):
        old.renew()
    Lease.take(remote, claim("b"), clock=clock)
    with pytest.raises(TakenOver, match="host-b"):
        old.renew()


def test_one_that_says_nothing_is_waited_for(remote):
    remote.write(".lease/000000000001.json", b"{")
    clock = Clock()
    assert Lease.take(remote, claim("a"), clock=clock).number == 2
    assert clock.slept >= 60


def test_one_that_was_cut_short_by_an_outage_is_written_again(remote):
    lease = Lease.take(remote, claim("a"), clock=Clock())
    remote.write(files(remote)[0], b'{"token": "a')
    lease.renew()
    assert b'"a"' in remote.read(files(remote)[0])


@pytest.mark.parametrize("stale", [False, True])
def test_of_many_who_want_it_at_once_one_gets_it(remote, stale):
    if stale:
        Lease.take(remote, claim("old", term_s=0.05), clock=Clock(time.time()))
    together = threading.Barrier(6)

    def take(number):
        together.wait()
        try:
            return Lease.take(remote, Claim(f"t{number}", f"h{number}", 1, "x", renewed=time.time(), term_s=0.3))
        except Conflict:
            return None

    def keep(number):
        """Take it, and live for a while."""
        lease = take(number)
        try:
            for _ in range(20 if lease else 0):
                time.sleep(0.05)
                lease.renew()
        except TakenOver:
            return False
        return lease is not None

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(keep, range(6))) == 1


def test_this_process_says_who_it_is():
    import os
    import socket

    made = claim_of_this_process(5.0)
    assert (made.pid, made.host, made.term_s) == (os.getpid(), socket.gethostname(), 5.0)
    assert made.user and len(made.token) == 24 and made.token != claim_of_this_process().token


def test_one_whose_clock_is_ahead_leaves_a_living_driver_alone():
    remote = Remote.at("memory://lease-clocks/run")
    clock = Clock()
    lease = Lease.take(remote, claim("a"), clock=clock)
    clock.now += 3600.0
    clock.renews_after(10, lease, wrong_by=-3600.0)
    with pytest.raises(Conflict, match="host-a"):
        Lease.take(remote, claim("b"), clock=clock)


@pytest.mark.parametrize(
    "name",
    [
        "x.json", "2.json", "000000000002.json.tmp", "000000000002.json.c3d1.partial", "000000000002", "\u0664.json",
        "\u0660" * 11 + "\u0664.json", "more/000000000002.json",
    ],
)  # fmt: skip
def test_a_file_with_another_name_is_no_lease(remote, name):
    remote.write(f".lease/{name}", b"{}")
    clock = Clock()
    lease = Lease.take(remote, claim("a"), clock=clock)
    assert lease.number == 1 and clock.slept < 0.2
    lease.renew()
    clock.renews_after(1, lease)
    with pytest.raises(Conflict, match="host-a"):
        Lease.take(remote, claim("b"), clock=clock)


def test_one_that_is_listed_and_not_there_is_an_error(remote, monkeypatch):
    monkeypatch.setattr(Remote, "sizes", lambda self, folder: {".lease/000000000004.json": 3})
    clock = Clock()
    with pytest.raises(
        FileNotFoundError, match=r"lists \.lease/000000000004\.json, which is not there: delete memory://"
    ):
        Lease.take(remote, claim("a"), clock=clock)
    assert 1 < clock.slept < 60


def test_after_the_last_number_there_is_none(remote):
    remote.write(".lease/999999999999.json", b'{"released": true}')
    with pytest.raises(Conflict, match="last number"):
        Lease.take(remote, claim("a"), clock=Clock())


@pytest.mark.parametrize(("term", "waits"), [("1e308", 300), ("1e9", 300), ("-5", 60), ("0", 60), ("NaN", 60)])
def test_a_term_is_bounded(remote, term, waits, monkeypatch):
    assert leases.LONGEST_S <= 86_400
    monkeypatch.setattr(leases, "LONGEST_S", 300.0)
    remote.write(".lease/000000000001.json", b'{"token": "a", "pid": 1, "term_s": %s}' % term.encode())
    clock = Clock(100.0)
    assert Lease.take(remote, claim("b"), clock=clock).number == 2
    assert waits <= clock.slept < waits + 5


def test_whatever_it_says_can_be_shown(remote):
    text = b'{"token": "a", "pid": 1, "host": "h\\u001b[31m", "started": 1e300, "renewed": 1e300, "term_s": 1}'
    remote.write(".lease/000000000001.json", text)
    said: list[str] = []
    Lease.take(remote, claim("b"), clock=Clock(), say=said.append)
    assert "process 1 of  on h?[31m: waiting" in said[0]
