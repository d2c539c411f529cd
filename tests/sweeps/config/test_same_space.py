"""A space that goes through a sweep's file is the space that the library would have made of the same words."""

from __future__ import annotations

from typing import Any

from hyperopt import hp as theirs
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier import tune as library
from luthier.core.rng import rng_at
from luthier.core.space import Space
from luthier.search.hyperopt_space import converted
from luthier.sweeps.config import tune
from luthier.sweeps.config.hyperopt import hp
from luthier.sweeps.config.tune.suggest.hyperopt import HyperOptSearch
from luthier.sweeps.read import read

BOUNDS = st.tuples(st.integers(-50, 50), st.integers(1, 50)).map(lambda pair: (pair[0], pair[0] + pair[1]))
ABOVE_0 = st.tuples(st.integers(1, 50), st.integers(1, 50)).map(lambda pair: (pair[0], pair[0] + pair[1]))
CONSTANTS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(-1e6, 1e6), st.sampled_from(["relu", "1e5", "no"]),
    st.sampled_from([{"os.name": ["posix"]}, {"tune.uniform": [0, 1]}, {"args": [1], "kwargs": {}}, [[1], {}]]),
)  # fmt: skip
OF_TUNE = st.one_of(
    BOUNDS.map(lambda b: ("uniform", b)),
    BOUNDS.map(lambda b: ("quniform", (b[0] * 0.5, b[1] * 0.5, 0.5))),
    ABOVE_0.map(lambda b: ("loguniform", (b[0] / 7, b[1] / 7))),
    BOUNDS.map(lambda b: ("randint", b)),
    BOUNDS.map(lambda b: ("qrandint", (b[0] * 3, b[1] * 3, 3))),
    ABOVE_0.map(lambda b: ("lograndint", b)),
    BOUNDS.map(lambda b: ("qrandn", (b[0], b[1] + 51, 0.25))),
).map(lambda call: ("tune", *call))
OF_HP = st.one_of(
    BOUNDS.map(lambda b: ("uniform", b)),
    BOUNDS.map(lambda b: ("uniformint", b)),
    BOUNDS.map(lambda b: ("quniform", (*b, 2))),
    st.integers(1, 9).map(lambda n: ("randint", (n,))),
    ABOVE_0.map(lambda b: ("lognormal", (b[0] / 50, b[1] / 100))),
).map(lambda call: ("hp", *call))


def trees(leaves):
    """Return spaces in words: constants, calls, dicts, lists, and choices between all of these."""
    return st.recursive(
        st.one_of(CONSTANTS.map(lambda value: ("constant", value)), leaves),
        lambda inner: st.one_of(
            st.dictionaries(st.sampled_from(["a", "b", "c.d"]), inner, min_size=1, max_size=2).map(
                lambda d: ("dict", d)
            ),
            st.lists(inner, max_size=2).map(lambda items: ("list", items)),
            st.lists(inner, min_size=1, max_size=3).map(lambda items: ("choice", items)),
        ),
        max_leaves=6,
    )


def spoken(tree: Any, words: Any, hps: Any, *, labelled: bool, path: str = "x") -> Any:
    """Return the space that *tree* describes, in these words; labels are made of the way to them."""

    def inner(item: Any, key: object) -> Any:
        return spoken(item, words, hps, labelled=labelled, path=f"{path}/{key}")

    match tree:
        case ("constant", value):
            return value
        case ("dict", items):
            return {key: inner(item, key) for key, item in items.items()}
        case ("list", items):
            return [inner(item, k) for k, item in enumerate(items)]
        case ("choice", items):
            options = [inner(item, k) for k, item in enumerate(items)]
            return hps.choice(path, options) if labelled else words.choice(options)
        case ("hp", name, arguments):
            return getattr(hps, name)(path, *arguments)
        case ("tune", name, arguments):
            return getattr(words, name)(*arguments)
    raise AssertionError(tree)


def assert_same(found: Space, meant: Space) -> None:
    mine, theirs = ({axis.name: axis for axis in space.axes} for space in (found, meant))
    assert mine.keys() == theirs.keys()
    for name, axis in mine.items():
        assert getattr(axis.domain, "label", "") == getattr(theirs[name].domain, "label", "")
    for place in range(3):
        assert found.sample(rng_at(place)) == meant.sample(rng_at(place))


def through_a_file(sweep: Any) -> Space:
    return Space(read(str(sweep)).parameters)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["x", "lr", "net"]), trees(OF_TUNE), min_size=1, max_size=2))
def test_in_the_words_of_tune(space):
    mine = {key: spoken(tree, tune, hp, labelled=False, path=key) for key, tree in space.items()}
    meant = {key: spoken(tree, library, theirs, labelled=False, path=key) for key, tree in space.items()}
    assert_same(through_a_file(tune.run("t.py", config=mine)), Space(meant))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["x", "lr", "net"]), trees(OF_HP), min_size=1, max_size=2))
def test_in_the_words_of_hyperopt(space):
    mine = {key: spoken(tree, tune, hp, labelled=True, path=key) for key, tree in space.items()}
    meant = {key: spoken(tree, library, theirs, labelled=True, path=key) for key, tree in space.items()}
    found = through_a_file(tune.run("t.py", search_alg=HyperOptSearch(mine, metric="loss", mode="min")))
    assert_same(found, converted(meant))
