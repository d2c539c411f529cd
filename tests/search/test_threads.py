"""One thread of linear algebra for small matrices, and as many as before afterwards."""

from __future__ import annotations

import builtins

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from luthier.core.rng import rng_at
from luthier.core.space import Float
from luthier.search import gp, threads
from luthier.search.gaussian import Surface
from luthier.search.known import Known


def counts() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def _two_threads():
    with threadpool_limits(2, user_api="blas"):
        yield


def test_one_thread_inside_and_as_many_as_before_after_it():
    assert counts() == {2}
    with threads.OneThread():
        assert counts() == {1}
    assert counts() == {2}
    with pytest.raises(KeyError), threads.OneThread():
        raise KeyError
    assert counts() == {2}


def test_a_gaussian_process_keeps_to_one(monkeypatch):
    seen = []

    def made(*arguments):
        seen.append(counts())
        return Surface(*arguments)

    monkeypatch.setattr(gp, "Surface", made)
    searcher = gp.Gp({"x": Float(0, 1)}, known=[Known({"x": x / 9}, (x,)) for x in range(9)])
    searcher.ask(0, rng_at(5, 0))
    assert seen == [{1}] and counts() == {2}


def test_without_the_library_nothing_is_limited(monkeypatch):
    def missing(name, *arguments):
        if name == "threadpoolctl":
            raise ImportError(name)
        return real(name, *arguments)

    real = builtins.__import__
    threads._libraries.cache_clear()
    monkeypatch.setattr(builtins, "__import__", missing)
    with threads.OneThread():
        pass
    monkeypatch.undo()
    threads._libraries.cache_clear()
    with threads.OneThread():
        assert counts() == {1}
