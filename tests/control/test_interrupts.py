from __future__ import annotations

import os
import signal
import threading

import pytest

from luthier.control.interrupts import Interrupts


def test_the_first_signal_asks_the_second_ends_and_the_old_handler_comes_back():
    before = signal.getsignal(signal.SIGINT)
    woken = []
    with Interrupts(lambda: woken.append(1)) as interrupts:
        assert interrupts.reason() is None
        os.kill(os.getpid(), signal.SIGINT)
        assert (interrupts.reason(), woken, interrupts.terminated) == ("interrupted", [1], False)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_sigterm_is_remembered():
    with Interrupts(lambda: None) as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        assert (interrupts.reason(), interrupts.terminated) == ("terminated", True)
        with pytest.raises(SystemExit) as ended:
            os.kill(os.getpid(), signal.SIGTERM)
        assert ended.value.code == 143


def test_in_a_thread_only_requests_work():
    seen = []

    def run():
        before = signal.getsignal(signal.SIGINT)
        with Interrupts(lambda: None) as interrupts:
            assert signal.getsignal(signal.SIGINT) is before
            interrupts.request("stopped")
            interrupts.request("again")
            seen.append(interrupts.reason())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == ["stopped"]
