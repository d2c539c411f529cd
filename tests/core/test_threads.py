"""One thread of linear algebra, and things as they were afterwards."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from threadpoolctl import ThreadpoolController, threadpool_limits

from luthier.core import threads
from luthier.core.rng import rng_at
from luthier.core.space import Float, Space
from luthier.core.threads import OneThread, one_thread
from luthier.search.gp import Gp
from luthier.search.known import Known
from luthier.search.library import Library
from luthier.search.study import Suggestion
from luthier.search.tpe import Tpe


def counts() -> set[int]:
    return {pool.num_threads for pool in ThreadpoolController().lib_controllers}


@pytest.fixture(autouse=True)
def _three():
    assert np.ones(1) @ np.ones(1) and scipy.linalg.norm([1.0])  # loaded
    with threadpool_limits(3):
        assert counts() == {3}
        yield
        assert counts() == {3} and not threads._usual and not threads._inside


def test_inside_it_is_one_and_afterwards_as_before():
    with OneThread():
        assert counts() == {1}


def test_also_where_something_raises():
    @one_thread("numpy")
    def wrong():
        assert counts() == {1}
        raise KeyError

    with pytest.raises(KeyError):
        wrong()


def test_who_leaves_last_puts_things_back():
    one, two = OneThread(), OneThread()
    one.__enter__()
    two.__enter__()
    one.__exit__()
    assert counts() == {1}
    two.__exit__()


@pytest.mark.parametrize("make", [Gp, Tpe])
def test_models_are_made_with_one(make, monkeypatch):
    seen: list[set[int]] = []
    space = Space({"x": Float(0, 1), "y": Float(0, 1)})
    known = [Known(config, (config["x"],)) for config in (space.sample(rng_at(1, n)) for n in range(20))]
    searcher = make(space, known=known)
    rows = searcher.seen.rows

    def watched(numbers):
        seen.append(counts())
        return rows(numbers)

    monkeypatch.setattr(searcher.seen, "rows", watched)
    searcher.ask(0, rng_at(2, 0))
    assert seen and all(count == {1} for count in seen)


def test_libraries_propose_with_one():
    class Study:
        retraced = False

        def propose(self, seed):
            assert counts() == {1}
            return Suggestion({"x": seed}, seed)

        def withdraw(self, token):
            pass

    searcher = Library(Study(), 5)  # type: ignore[arg-type]
    for number in range(5):
        assert isinstance(searcher.ask(number, rng_at(5, number)), dict)
