"""Reports that go straight to the driver, and what becomes of them where that does not work."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from luthier.core.terms import Status
from luthier.execution.ray import cast, switchboard
from luthier.execution.ray.executor import RayExecutor
from luthier.execution.ray.switchboard import Switchboard
from luthier.execution.ray.wire import HELLO, PROOF, Address, Wire
from luthier.testing.rig import Rig
from luthier.testing.trainables import counting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Heard = queue.SimpleQueue[tuple[int, socket.socket, bytes]]


@pytest.fixture
def heard() -> Heard:
    return queue.SimpleQueue()


@pytest.fixture
def board(heard: Heard) -> Iterator[Switchboard]:
    made = Switchboard("127.0.0.1", lambda *call: heard.put(call))
    yield made
    made.close()


def frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "little") + payload


def answered(heard: Heard, verdict: bytes) -> list[tuple[int, bytes]]:
    """Answer the next call in a thread of its own; what it was is in the list that is returned, then."""
    found: list[tuple[int, bytes]] = []

    def answer() -> None:
        number, sock, payload = heard.get(timeout=10)
        found.append((number, payload))
        sock.send(verdict)

    threading.Thread(target=answer).start()
    return found


def test_reports_are_heard_and_verdicts_come_back(board: Switchboard, heard: Heard):
    with contextlib.closing(Wire(board.address, 1)) as first, contextlib.closing(Wire(board.address, 2)) as second:
        for wire, number in ((first, 1), (second, 2), (first, 1)):
            for payload, verdict in ((b"one", b"c"), (b"x" * 200_000, b"h")):
                found = answered(heard, verdict)
                assert wire.ask(frame(payload)) == verdict
                assert found == [(number, payload)]


def test_who_does_not_know_the_secret_is_not_heard(board: Switchboard, heard: Heard):
    stranger = Wire(msgspec.structs.replace(board.address, secret=b"?" * PROOF), 1)
    assert stranger.ask(frame(b"report")) is None
    assert heard.empty()


def test_who_takes_calls_must_know_it_too():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            sock, _ = server.accept()
            with sock:
                sock.sendall(b"n" * PROOF)
                while len(sock.recv(HELLO, socket.MSG_PEEK)) < HELLO:
                    pass
                sock.sendall(b"p" * PROOF)

        threading.Thread(target=take).start()
        address = Address("127.0.0.1", server.getsockname()[1], b"s" * PROOF)
        assert Wire(address, 1).ask(frame(b"report")) is None


@pytest.mark.parametrize("what", [b"", b"GET / HTTP/1.0\r\n\r\n", b"x" * HELLO])
def test_strangers_are_hung_up_on(board: Switchboard, heard: Heard, monkeypatch: pytest.MonkeyPatch, what: bytes):
    monkeypatch.setattr(switchboard, "_PATIENCE", 0.2)
    with socket.create_connection((board.address.host, board.address.port)) as sock:
        sock.sendall(what)
        sock.settimeout(10)
        assert len(sock.recv(PROOF)) == PROOF
        with contextlib.suppress(ConnectionResetError):  # where it had not read all
            assert sock.recv(1) == b""
    found = answered(heard, b"c")
    with contextlib.closing(Wire(board.address, 3)) as wire:
        assert wire.ask(frame(b"report")) == b"c"  # others are heard all the same
    assert found == [(3, b"report")]


def test_a_wire_that_is_cut_is_not_used_again(board: Switchboard, heard: Heard):
    wire = Wire(board.address, 1)
    answered(heard, b"c")
    assert wire.ask(frame(b"report")) == b"c"
    threading.Thread(target=lambda: heard.get()[1].shutdown(socket.SHUT_RDWR)).start()
    assert wire.ask(frame(b"another")) is None
    assert wire.ask(frame(b"a third")) is None
    assert heard.empty()


def test_wires_leave_files_to_others(board: Switchboard, heard: Heard, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(switchboard, "most_files", lambda: 64)
    assert Wire(board.address, 1).ask(frame(b"report")) is None
    assert heard.empty()


def test_where_there_is_tls_there_are_no_wires(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_USE_TLS", "1")
    assert switchboard.switchboard("127.0.0.1", lambda *call: None) is None


@pytest.mark.usefixtures("cluster")
def test_without_wires_reports_go_by_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(cast, "switchboard", lambda host, heard: None)
    rig = Rig(RayExecutor(counting, experiment_dir=tmp_path), tmp_path, [{"n": 5}]).run()
    assert [m["i"] for m in rig.reports()] == [0, 1, 2, 3, 4]


@pytest.mark.usefixtures("cluster")
def test_a_trial_whose_wire_is_cut_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    executor = RayExecutor(counting, experiment_dir=tmp_path)
    rig, answer = Rig(executor, tmp_path, [{"n": 6}]), executor.answer
    cut: list[Any] = []

    def answer_or_cut(*args: Any) -> None:
        (hand,) = executor._cast.hands
        if len(rig.reports()) == 3 and not cut:
            assert hand.wire is not None
            hand.wire.shutdown(socket.SHUT_RDWR)  # the verdict is on no way back
            cut.append(hand)
        answer(*args)

    monkeypatch.setattr(executor, "answer", answer_or_cut)
    rig.run()
    assert [m["i"] for m in rig.reports()] == [0, 1, 2, 3, 4, 5]
    assert rig.trial(0).status is Status.DONE
    assert cut[0].wire is None
