"""The laws of every domain, and the distributions."""

from __future__ import annotations

import copy
import math
import pickle
from collections import Counter, OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from luthier.core.errors import BadArgument
from luthier.core.rng import rng_at
from luthier.core.space import (
    Beta,
    Categorical,
    Domain,
    Float,
    Grid,
    Integer,
    Normal,
    Rounded,
    Space,
    Weighted,
    fresh,
    same,
)
from luthier.core.space.normal import quantile

UNITS = st.one_of(st.floats(0.0, 1.0), st.sampled_from([0.0, 1.0, 0.5, 5e-324, 1 - 2**-53]))
BOUND = st.floats(-1e9, 1e9, allow_nan=False)
POSITIVE = st.floats(1e-200, 1e200)
QUANTA = st.sampled_from([0.1, 0.05, 0.3, 1e-5, 0.25, 1.0, 2.5, 7.0, 1 / 3])


@st.composite
def floats(draw):
    log = draw(st.booleans())
    lower, upper = sorted((draw(POSITIVE if log else BOUND), draw(POSITIVE if log else BOUND)))
    assume(upper - lower > 1e-6 * max(abs(lower), abs(upper)))
    return Float(lower, upper, log)


@st.composite
def quantised(draw):
    q, log = draw(QUANTA), draw(st.booleans())
    first = draw(st.integers(1 if log else -(10**6), 10**6))
    count = draw(st.integers(1, 10**6))
    return Float(first * q, (first + count) * q, log, q)


@st.composite
def integers(draw):
    log, q = draw(st.booleans()), draw(st.integers(1, 50))
    lower = draw(st.integers(1 if log else -(10**9), 10**9))
    upper = lower + draw(st.integers(0, 10**9))
    assume(upper // q >= -(-lower // q))
    return Integer(lower, upper, log, q)


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.floats(), st.text(max_size=2))
OPTIONS = st.recursive(SCALARS, lambda x: st.lists(x, max_size=2) | st.dictionaries(st.text(max_size=1), x, max_size=2))
categoricals = st.lists(OPTIONS, min_size=1, max_size=8).map(Categorical)
normals = st.builds(Normal, st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.none() | st.just(0.5))
lognormals = st.builds(Normal, st.floats(-9, 9), st.floats(1e-3, 9), st.none() | st.just(0.5), st.just(True))
betas = st.builds(Beta, st.floats(0.1, 50), st.floats(0.1, 50))


@st.composite
def weighted(draw):
    weights = draw(st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(any))
    return Weighted(range(len(weights)), [weight / sum(weights) for weight in weights])


@st.composite
def rounded(draw):
    inner = draw(
        st.one_of(floats(), normals, lognormals, betas).filter(lambda domain: getattr(domain, "q", None) is None)
    )
    if inner.endless:
        q = draw(st.sampled_from([1.0, 0.5, 3.0]))
    else:
        low, high = inner.from_unit(0.0), inner.from_unit(1.0)
        q = (high - low) / draw(st.integers(2, 1000))
        assume(q > 1e-9 * max(abs(low), abs(high)))
    return Rounded(inner, q, whole=q.is_integer() and draw(st.booleans()))


DOMAINS = st.one_of(floats(), quantised(), integers(), categoricals, normals, lognormals, betas, weighted(), rounded())


@given(DOMAINS, UNITS)
def test_what_comes_out_is_inside(domain: Domain, u: float):
    assert domain.from_unit(u) in domain


@given(DOMAINS, UNITS)
def test_way_back(domain: Domain, u: float):
    assert 0.0 <= domain.to_unit(domain.from_unit(u)) <= 1.0


@given(st.one_of(quantised(), integers(), categoricals, weighted()), UNITS)
def test_there_and_back_is_exact(domain: Domain, u: float):
    value = domain.from_unit(u)
    assert same(domain.from_unit(domain.to_unit(value)), value)


@given(floats(), UNITS)
def test_there_and_back_of_floats(domain: Float, u: float):
    value = domain.from_unit(u)
    width = abs(value) if domain.log else domain.upper - domain.lower
    # where bounds are close together, their own last digits are all there is
    assert abs(domain.from_unit(domain.to_unit(value)) - value) <= 1e-9 * width + 1e-12 * abs(value)


@given(st.floats(-1e3, 1e3), st.floats(1e-2, 1e3), st.floats(-5, 5))
def test_there_and_back_of_normals(mean, sd, z):
    domain = Normal(mean, sd)
    value = mean + z * sd
    assert domain.from_unit(domain.to_unit(value)) == pytest.approx(value, rel=1e-9, abs=sd * 1e-9)


@given(rounded(), st.floats(0.01, 0.99))
def test_there_and_back_of_what_is_rounded(domain: Rounded, u: float):
    value = domain.from_unit(u)
    assert domain.from_unit(domain.to_unit(value)) == value
    assert domain.whole is (type(value) is int)


@given(st.floats(-9, 9), st.floats(1e-2, 9), st.floats(-5, 5))
def test_there_and_back_of_lognormals(mean, sd, z):
    domain = Normal(mean, sd, log=True)
    value = math.exp(mean + z * sd)
    assert domain.from_unit(domain.to_unit(value)) == pytest.approx(value, rel=1e-8)


@given(st.floats(0.5, 50), st.floats(0.5, 50), st.floats(1e-3, 1 - 1e-3))
def test_there_and_back_of_shares(a, b, u):
    domain = Beta(a, b)
    value = domain.from_unit(u)
    assert domain.from_unit(domain.to_unit(value)) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("u", [0.0, 5e-324, 1e-200, 1e-20])
def test_shares_that_are_next_to_nothing(u):
    assert Beta(2, 4).from_unit(u) == pytest.approx(0, abs=1e-9)


@given(DOMAINS, UNITS)
def test_a_place_is_a_place(domain: Domain, u: float):
    assert 0.0 <= domain.place(u) <= 1.0
    if not isinstance(domain, Weighted):
        assert domain.place(u) == u


@given(weighted(), UNITS)
def test_what_weighs_nothing_is_not_drawn(domain: Weighted, u: float):
    assert domain.weights[domain.from_unit(domain.place(u))] > 0


@given(DOMAINS, UNITS, UNITS)
def test_order_is_kept(domain: Domain, u: float, v: float):
    if not isinstance(domain, Categorical):
        low, high = sorted((u, v))
        assert domain.from_unit(low) <= domain.from_unit(high)


@given(DOMAINS, st.integers())
def test_equal_by_value_and_picklable(domain: Domain, seed: int):
    other = pickle.loads(pickle.dumps(domain))
    assert other == domain and hash(other) == hash(domain)
    assert same(other.draw(rng_at(seed)), domain.draw(rng_at(seed)))
    assert repr(domain).startswith(type(domain).__name__)


def test_domains_differ():
    assert Float(0, 1) != Float(0, 2) and Float(0, 1) != Integer(0, 1) and Categorical([1]) != Grid([1])
    assert Categorical([1]) == Categorical([1]) != Categorical([2])
    assert Weighted([1, 2], [0.5, 0.5]) != Categorical([1, 2]) and Categorical([1, 2]) != Weighted([1, 2], [0.5, 0.5])
    assert Weighted([1, 2], [0.5, 0.5]) != Weighted([1, 2], [0.4, 0.6]) and Normal() != Normal(log=True)
    assert Rounded(Normal(), 1) != Rounded(Normal(), 1, whole=True) and Beta(1, 2) != Beta(2, 1)


@pytest.mark.parametrize(
    "domain",
    [
        Float(0, 1),
        Float(1, 2, log=True),
        Float(0, 1, q=0.5),
        Integer(0, 4),
        Normal(),
        Normal(log=True),
        Beta(2, 2),
        Rounded(Float(0, 9), 2),
        Rounded(Normal(), 2),
    ],
)
@pytest.mark.parametrize("value", [None, "1", b"1", True, math.nan, [1], np.ones(2)])
def test_not_a_number(domain, value):
    assert value not in domain
    with pytest.raises(BadArgument, match="cannot be used"):
        domain.to_unit(value)


@pytest.mark.parametrize(
    "domain", [Float(1, 5), Float(1, 5, log=True), Float(1, 5, q=2 / 2), Integer(1, 5), Integer(1, 5, log=True)]
)
def test_beyond_the_bounds(domain):
    for value in (0.5, 5.5, -math.inf, math.inf, 10**30, -(10**30)):
        assert value not in domain
        assert domain.from_unit(domain.to_unit(value)) == pytest.approx(1 if value < 1 else 5, rel=1e-12)
    assert domain.from_unit(-1.0) == 1 and domain.from_unit(2.0) == 5


def test_numbers_of_numpy():
    one: Any = np.int64(1)
    three: Any = np.int64(3)
    zero: Any = np.float32(0)
    thousand: Any = 1e3
    assert np.float32(0.5) in Float(0, 1) and np.int64(3) in Integer(0, 5) and np.int64(1) in Float(0, 2)
    assert 3.0 not in Integer(0, 5) and Integer(0, 5).from_unit(Integer(0, 5).to_unit(np.int64(3))) == 3
    assert type(Integer(one, three).from_unit(0.5)) is int
    assert type(Float(zero, np.float64(1)).from_unit(0.5)) is float
    assert Integer(1, thousand) == Integer(1, 1000)


def test_integers_between_multiples_go_to_the_nearest():
    domain = Integer(0, 100, q=10)
    assert [domain.from_unit(domain.to_unit(v)) for v in (0, 4, 6, 94, 96.2, 104)] == [0, 0, 10, 90, 100, 100]


def test_multiples_are_decimals():
    assert [Float(0, 1, q=0.1).from_unit(u / 10) for u in range(11)] == [k / 10 for k in range(11)]
    assert Float(0, 0.3, q=0.1).from_unit(1.0) == 0.3


def test_wide_integers():
    domain = Integer(0, 2**64 - 1)
    values = [domain.draw(rng_at(3, i)) for i in range(2_000)]
    assert len(set(values)) == 2_000 and all(v in domain for v in values)
    assert len({v % 64 for v in values}) == 64  # the low bits are drawn too
    assert abs(domain.from_unit(domain.to_unit(10**19)) - 10**19) < 2**14


# -- distributions -----------------------------------------------------------------------------------------------------


def drawn(domain: Domain, n: int = 4_000) -> list[Any]:
    return [domain.draw(rng_at(42, i)) for i in range(n)]


@pytest.mark.parametrize(
    ("domain", "cdf"),
    [
        (Float(-3, 5), stats.uniform(-3, 8).cdf),
        (Float(1e-5, 1e-1, log=True), stats.loguniform(1e-5, 1e-1).cdf),
        (Normal(3, 2), stats.norm(3, 2).cdf),
        (Normal(1, 0.5, log=True), stats.lognorm(0.5, scale=math.e).cdf),
        (Beta(2, 5), stats.beta(2, 5).cdf),
        (Beta(0.5, 0.5), stats.beta(0.5, 0.5).cdf),
    ],
)
def test_continuous(domain, cdf):
    assert stats.kstest(drawn(domain), cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("domain", "weights"),
    [
        (Integer(2, 6), dict.fromkeys(range(2, 7), 1)),
        (Integer(3, 13, q=3), dict.fromkeys((3, 6, 9, 12), 1)),
        (Integer(1, 9, log=True), {k: math.log((k + 1) / k) for k in range(1, 10)}),
        (Integer(10, 90, log=True, q=10), {10 * k: math.log((k + 1) / k) for k in range(1, 10)}),
        (Categorical(["x", "y", "z"]), dict.fromkeys("xyz", 1)),
        (Float(0, 1, q=0.25), {0.0: 0.5, 0.25: 1, 0.5: 1, 0.75: 1, 1.0: 0.5}),
        (Float(1, 3, log=True, q=1.0), {1.0: math.log(1.5), 2.0: math.log(2.5 / 1.5), 3.0: math.log(3 / 2.5)}),
        (Normal(0, 1, q=10.0), {0.0: 1}),
        (Weighted(["x", "y", "z"], [0.7, 0.0, 0.3]), {"x": 7, "z": 3}),
        (Rounded(Float(0, 4), 1, whole=True), {0: 0.5, 1: 1, 2: 1, 3: 1, 4: 0.5}),
        (Rounded(Float(1, 29), 10, whole=True), {10: 14, 20: 14}),
        (Rounded(Beta(1, 1), 0.5), {0.0: 1, 0.5: 2, 1.0: 1}),
        (
            Rounded(Normal(0, 1, log=True), 4, whole=True),
            dict(zip((0, 4, 8, 12), np.diff(stats.lognorm(1).cdf([0, 2, 6, 10, 1e9])), strict=True)),
        ),
    ],
)
def test_discrete(domain, weights):
    counts = Counter(drawn(domain))
    if isinstance(domain, Rounded) and domain.endless:  # the tail together
        counts = Counter({k: sum(n for v, n in counts.items() if min(v, max(weights)) == k) for k in weights})
    assert counts.keys() == weights.keys()
    total = sum(weights.values())
    expected = [4_000 * weight / total for weight in weights.values()]
    if len(weights) > 1:
        assert stats.chisquare([counts[k] for k in weights], expected).pvalue > 1e-3


def test_weights_hold_in_a_space_also_where_options_have_axes_of_their_own():
    option = {"kind": "b", "x": Float(0, 1)}
    space = Space({"w": Weighted(["a", option], [0.2, 0.8]), "y": Float(0, 1), "g": Grid([1, 2])})
    configs = [space.variant(i % 2, rng_at(5, i)) for i in range(2_000)]
    share = sum(config["w"] == "a" for config in configs) / len(configs)
    assert share == pytest.approx(0.2, abs=0.03)
    assert all(config in space and space.decode(space.encode(config)) == config for config in configs[:50])
    assert {config["g"] for config in configs} == {1, 2}
    anew = [space.decode([math.nan] * 4, rng_at(6, i))["w"] == "a" for i in range(1_000)]
    assert sum(anew) / len(anew) == pytest.approx(0.2, abs=0.04)


def test_weights_leave_the_other_axes_as_they_are():
    plain, weighted = Space({"x": Float(0, 1)}), Space({"x": Float(0, 1), "w": Weighted([1, 2], [0.1, 0.9])})
    assert all(weighted.sample(rng_at(3, i))["x"] == plain.sample(rng_at(3, i))["x"] for i in range(50))


def test_how_many_are_rounded_to():
    assert Rounded(Float(0, 10), 2.5).count == 5 and Rounded(Float(1, 100), 10).count == 10
    assert Rounded(Normal(), 1).count == math.inf


@given(st.floats(1e-300, 1 - 1e-15))
def test_quantile(p):
    assert quantile(p) == pytest.approx(stats.norm.ppf(p), rel=1e-13, abs=1e-15)


# -- options of any kind -----------------------------------------------------------------------------------------------


class Point(NamedTuple):
    x: Any
    y: Any


class Odd:
    def __eq__(self, other):
        raise RuntimeError("compared")

    __hash__ = None  # type: ignore[assignment]


def test_options_of_any_kind():
    odd = Odd()
    options = [1, True, 1.5, math.nan, "a", [1, 2], (3,), {"k": [1]}, np.arange(3), np.zeros((2, 2)), odd, None, len]
    domain = Categorical(options)
    for k, option in enumerate(options):
        assert domain.index(option) == k
        assert domain.index(copy.copy(option) if option is not odd else odd) == k
    assert "zzz" not in domain and np.arange(4) not in domain and Odd() not in domain
    with pytest.raises(BadArgument, match="value='zzz'"):
        domain.to_unit("zzz")


def test_options_of_one_value_and_two_types():
    domain = Categorical([1.0, 1, "1"])
    assert [domain.index(v) for v in (1.0, 1, "1", np.int64(1))] == [0, 1, 2, 0]
    assert True not in domain


def test_options_are_fresh():
    domain = Categorical([{"layers": [1]}])
    domain.from_unit(0.5)["layers"].append(2)
    assert domain.from_unit(0.5) == {"layers": [1]}


def test_collections_of_options():
    assert Categorical({"b", "a"}).options == ("a", "b")
    assert set(Categorical({"b", 1}).options) == {"b", 1}
    assert Categorical(range(3)).options == range(3)
    assert [type(v) for v in Categorical(np.array([1, 2])).options] == [int, int]
    assert Categorical(x for x in "ab").options == ("a", "b")


def test_fresh():
    value: dict[str, Any] = {
        "o": OrderedDict(a=[1]),
        "p": Point([1], 2),
        "s": {1},
        "t": (1, 2),
        "b": bytearray(b"x"),
        "n": None,
    }
    other = fresh(value)
    assert other == value and type(other["o"]) is OrderedDict and type(other["p"]) is Point
    assert other["t"] is value["t"] and other["s"] is not value["s"] and other["p"].x is not value["p"].x
    other["o"]["a"].append(2)
    assert value["o"]["a"] == [1]


def test_same():
    assert same([1, (2,)], (1, [2])) and not same([1], [1, 2]) and not same({"a": 1}, {"b": 1}) and not same({}, [])
    assert same(math.nan, float("nan")) and not same(1, True) and same(1, 1.0) and not same("1", 1)


# -- bad input ---------------------------------------------------------------------------------------------------------

WORD: Any = "x"  # what an annotation would not let pass
HALF: Any = 0.5
ENDLESS: Any = math.inf
THREE: Any = 3


@pytest.mark.parametrize(
    ("make", "argument", "wanted"),
    [
        (lambda: Float(2, 1), "upper", "above lower=2"),
        (lambda: Float(1, 1), "upper", "above lower=1"),
        (lambda: Float(WORD, 1), "lower", "a number"),
        (lambda: Float(0, WORD), "upper", "a number"),
        (lambda: Float(math.nan, 1), "lower", "finite"),
        (lambda: Float(0, math.inf), "upper", "finite"),
        (lambda: Float(0, 10**400), "upper", "finite"),
        (lambda: Float(-1.7e308, 1.7e308), "upper", "apart"),
        (lambda: Float(0, 1, log=True), "lower", "above 0"),
        (lambda: Float(-1, 1, log=True), "lower", "above 0"),
        (lambda: Float(0, 1, q=0), "q", "above 0"),
        (lambda: Float(0, 1, q=-0.5), "q", "above 0"),
        (lambda: Float(0, 1, q=WORD), "q", "a number"),
        (lambda: Float(0.05, 1, q=0.1), "lower", "multiple of q=0.1"),
        (lambda: Float(0, 1.04, q=0.1), "upper", "such as 1.0 or 1.1"),
        (lambda: Integer(2, 1), "upper", "not below lower=2"),
        (lambda: Integer(HALF, 1), "lower", "whole number"),
        (lambda: Integer(0, ENDLESS), "upper", "finite"),
        (lambda: Integer(0, True), "upper", "a number"),
        (lambda: Integer(0, 4, log=True), "lower", "above 0"),
        (lambda: Integer(0, 4, q=0), "q", "above 0"),
        (lambda: Integer(11, 14, q=10), "q", "divisor"),
        (lambda: Normal(0, 0), "sd", "above 0"),
        (lambda: Normal(WORD), "mean", "a number"),
        (lambda: Normal(0, 1, q=0), "q", "above 0"),
        (lambda: Normal(600, 100, log=True), "mean", "less"),
        (lambda: Beta(0, 1), "a", "above 0"),
        (lambda: Beta(1, WORD), "b", "a number"),
        (lambda: Rounded(Float(0, 1), 0), "q", "above 0"),
        (lambda: Rounded(Float(0, 1), 0.5, whole=True), "q", "whole number"),
        (lambda: Rounded(Float(1, 4), 5), "q", "less"),
        (lambda: Weighted([1, 2], [1.0]), "probabilities", "2 numbers"),
        (lambda: Weighted([1, 2], [0.5, 0.4]), "probabilities", "sum up to 1"),
        (lambda: Weighted([1, 2], [1.5, -0.5]), "probabilities", "0 or more"),
        (lambda: Weighted([1, 2], [WORD, 1]), "probabilities[0]", "a number"),
        (lambda: Categorical([]), "categories", "at least one"),
        (lambda: Categorical("abc"), "categories", "a list"),
        (lambda: Categorical({"a": 1}), "categories", "a list"),
        (lambda: Categorical(THREE), "categories", "a list"),
    ],
)
def test_bad_arguments(make, argument, wanted):
    with pytest.raises(BadArgument, match="cannot be used") as caught:
        make()
    assert str(caught.value).startswith(f"{argument}=") and wanted in str(caught.value)


# -- ranges ----------------------------------------------------------------------------------------------------------

VALUES = [
    0,
    3,
    9,
    -1,
    10,
    11,
    4.0,
    4.5,
    True,
    False,
    None,
    "3",
    "x",
    float("nan"),
    float("inf"),
    1 << 80,
    [3],
    np.int64(6),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("given", [range(10), range(9, -3, -3), range(0, 12, 2)], ids=repr)
def test_a_range_is_like_the_list_of_its_numbers(given, value):
    kept, listed = Categorical(given), Categorical(list(given))
    assert kept.options is given
    assert kept == listed
    assert hash(kept) == hash(listed)
    assert kept.index(value) == listed.index(value)
    assert (value in kept) is (value in listed)
    assert [kept.from_unit(u / 7) for u in range(8)] == [listed.from_unit(u / 7) for u in range(8)]


def test_ranges_differ():
    assert Categorical(range(3)) != Categorical(range(4))
    assert Categorical(range(3)) != Categorical([0, 1, 3])
    assert Categorical(range(3)) != Grid(range(3))


def test_an_empty_range_is_refused():
    with pytest.raises(BadArgument, match="at least one option"):
        Grid(range(0))


def test_an_endless_range_is_refused():
    with pytest.raises(BadArgument, match="at most 1125899906842624 options"):
        Grid(range(10**30))
    domain = Categorical(range(2**50))
    for k in (0, 1, 2**49, 2**50 - 1):
        assert domain.from_unit(domain.middle(k)) == k


def test_what_is_no_option_of_a_long_range_is_told_shortly():
    with pytest.raises(BadArgument, match=r"one of range\(0, 1000000000000\)"):
        Categorical(range(10**12)).to_unit(-1)
