"""The functions of search spaces by name: what a call in a sweep's file stands for, and how a domain is written."""

from __future__ import annotations

import math
import re
from inspect import signature
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space import Categorical, Domain, Float, Function, Grid, Integer, Normal, described
from luthier.core.space.domain import whole
from luthier.search.hp import KINDS, Hp, HpChoice
from luthier.sweeps.calls import Call
from luthier.sweeps.signatures import bound, meant, signature_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")  # 1e-4 is text in YAML 1.1
_PAIR = 2


def _float(lower: Any, upper: Any, q: Any = None, *, log: bool = False) -> Float:
    return Float(_n(lower), _n(upper), log, None if q is None else _n(q))


def _integer(lower: Any, upper: Any, q: Any = 1, *, log: bool = False) -> Integer:
    """Return whole numbers to *upper*, exclusive, or inclusive where they are multiples of a *q* above 1."""
    low, high, step = whole("lower", _n(lower)), whole("upper", _n(upper)), whole("q", _n(q))
    if high <= low:
        raise BadArgument("upper", upper, f"a whole number above lower={low}")
    return Integer(low, high - 1 if step == 1 else high, log, step)


# -- tune.* ------------------------------------------------------------------------------------------------------------
def _uniform(lower: Any, upper: Any) -> Domain:
    return _float(lower, upper)


def _quniform(lower: Any, upper: Any, q: Any) -> Domain:
    return _float(lower, upper, q)


def _loguniform(lower: Any, upper: Any, base: Any = None) -> Domain:
    del base  # a log-uniform distribution is the same for every base
    return _float(lower, upper, log=True)


def _qloguniform(lower: Any, upper: Any, q: Any, base: Any = None) -> Domain:
    del base
    return _float(lower, upper, q, log=True)


def _randn(mean: Any = 0.0, sd: Any = 1.0) -> Domain:
    return Normal(_n(mean), _n(sd))


def _qrandn(mean: Any, sd: Any, q: Any) -> Domain:
    return Normal(_n(mean), _n(sd), _n(q))


def _randint(lower: Any, upper: Any) -> Domain:
    return _integer(lower, upper)


def _qrandint(lower: Any, upper: Any, q: Any = 1) -> Domain:
    return _integer(lower, upper, q)


def _lograndint(lower: Any, upper: Any, base: Any = None) -> Domain:
    del base
    return _integer(lower, upper, log=True)


def _qlograndint(lower: Any, upper: Any, q: Any, base: Any = None) -> Domain:
    del base
    return _integer(lower, upper, q, log=True)


def _choice(categories: Any) -> Domain:
    return Categorical(categories)


def _grid_search(values: Any) -> Domain:
    return Grid(values)


# -- hp.* --------------------------------------------------------------------------------------------------------------
def _hp(kind: str) -> Callable[..., Domain]:
    """Return what makes ``hp.<kind>``, of a label and its numbers."""
    names = ("label", *KINDS[kind])

    def made(**given: Any) -> Domain:
        label, *numbers = (given[name] for name in names)
        return Hp(_label(label), kind, [_n(number) for number in numbers])

    made.__signature__ = signature_of(", ".join(names))  # type: ignore[attr-defined]  # what inspect looks for
    return made


def _hp_randint(label: Any, low: Any, high: Any = None) -> Domain:
    low, high = (0, low) if high is None else (low, high)  # hp.randint(label, upper)
    return Hp(_label(label), "randint", (whole("low", _n(low)), whole("high", _n(high))))


def _uniformint(label: Any, low: Any, high: Any, q: Any = 1.0) -> Domain:
    if _n(q) != 1:
        raise BadArgument("q", q, "1, or hp.quniform for other steps")
    return Hp(_label(label), "quniform", (_n(low), _n(high), 1.0), integer=True)


def _hp_choice(label: Any, options: Any) -> Domain:
    return HpChoice(_label(label), options)


def _pchoice(label: Any, p_options: Any) -> Domain:
    pairs = isinstance(p_options, (list, tuple)) and all(
        isinstance(pair, (list, tuple)) and len(pair) == _PAIR for pair in p_options
    )
    if not pairs or not p_options:
        raise BadArgumentType("p_options", p_options, "a list of (probability, option)")
    return HpChoice(_label(label), [option for _, option in p_options], [_n(weight) for weight, _ in p_options])


def _older_loguniform(min_bound: Any, max_bound: Any, base: Any = None) -> Domain:
    """Return what the first client's ``hp.loguniform`` meant: it took bounds, as ``tune.loguniform`` does.

    Who called it as HyperOpt has it, with a label first, gets HyperOpt's own, whose bounds are logarithms.
    """
    if isinstance(min_bound, str) and not isinstance(_n(min_bound), (int, float)):
        return Hp(min_bound, "loguniform", (_n(max_bound), _n(base)))
    return _float(min_bound, max_bound, log=True)


def _int(value: Any) -> Domain:
    if not isinstance(value, Hp):
        raise BadArgumentType("value", value, "a number of hp.*")
    return Hp(value.label, value.kind, value.arguments, integer=True)


TUNE: Mapping[str, Callable[..., Domain]] = {
    "uniform": _uniform,
    "quniform": _quniform,
    "loguniform": _loguniform,
    "qloguniform": _qloguniform,
    "randn": _randn,
    "qrandn": _qrandn,
    "randint": _randint,
    "qrandint": _qrandint,
    "lograndint": _lograndint,
    "qlograndint": _qlograndint,
    "choice": _choice,
    "grid_search": _grid_search,
}
HP: Mapping[str, Callable[..., Domain]] = {
    "choice": _hp_choice,
    "randint": _hp_randint,
    "pchoice": _pchoice,
    "uniform": _hp("uniform"),
    "uniformint": _uniformint,
    "quniform": _hp("quniform"),
    "loguniform": _hp("loguniform"),
    "qloguniform": _hp("qloguniform"),
    "normal": _hp("normal"),
    "qnormal": _hp("qnormal"),
    "lognormal": _hp("lognormal"),
    "qlognormal": _hp("qlognormal"),
}
_MAKERS: Mapping[str, Callable[..., Domain]] = {
    **{f"tune.{name}": make for name, make in TUNE.items()},
    **{f"hyperopt.hp.{name}": make for name, make in HP.items()},
    "hyperopt.loguniform": _older_loguniform,
    "hyperopt.pyll.scope.int": _int,
}
_WRITTEN = {Function, Float, Integer, Normal, Categorical, Grid, Hp, HpChoice}
_OLDER = {"min_bound": "lower", "max_bound": "upper"}  # what tune.loguniform's bounds were called


def domain_of(call: Call, where: str) -> Domain:
    """Return the domain that *call* stands for.

    Raises:
        BadArgument: there is no such function, or it is called with what it cannot use; the text begins with *where*.

    >>> domain_of(Call("tune.randint", 1, 9), "config.n"), domain_of(Call("hp.uniform", "w", 0, 20), "w")
    (Integer(1, 8, False, 1), Hp('w', 'uniform', (0.0, 20.0), False))
    """
    name = _spelled(call.name)
    if name == "tune.sample_from":
        wanted = "a constant or a domain, and the computation in the program"
        raise BadArgument(where, call, wanted, "a function cannot be written into a file, nor run from one")
    if name not in _MAKERS:
        wanted = meant(name, [known for known in _MAKERS if known != "hyperopt.loguniform"])
        wanted += "; a constant of this form is written {luthier.dict: ...}"
        raise BadArgument(where, call, wanted, "nothing has that name")
    make = _MAKERS[name]
    kwargs = call.kwargs if name.startswith("hyperopt") else {_OLDER.get(k, k): v for k, v in call.kwargs.items()}
    given = bound(where, signature(make), call.args, kwargs)
    try:
        return make(**given)
    except BadArgument as error:
        raise type(error)(f"{where}: {error.argument}", error.given, error.wanted, error.why) from error


def _spelled(name: str) -> str:
    """Return *name* as it is in the tables here.

    >>> _spelled("hp.uniform"), _spelled("ray.tune.choice")
    ('hyperopt.hp.uniform', 'tune.choice')
    """
    module, _, last = name.rpartition(".")
    if module in {"hp", "hyperopt.hp", "luthier.sweeps.config.hyperopt.hp"}:
        return f"hyperopt.hp.{last}"
    if module in {"tune", "ray.tune", "luthier.tune", "luthier.sweeps.config.tune"}:
        return f"tune.{last}"
    return f"hyperopt.pyll.{name}" if name == "scope.int" else name


def call_of(value: Any) -> Any:  # noqa: PLR0911 (one for each kind)
    """Return the call that a domain is written as; what is no domain is returned as it is.

    Raises:
        BadArgument: no call says it.

    >>> call_of(Float(0.0, 1.0)), call_of(Integer(2, 8, q=2)), call_of("relu")
    (tune.uniform(0.0, 1.0), tune.qrandint(2, 8, 2), 'relu')
    """
    if isinstance(value, (Call, dict, str, int, float, list, tuple)) or value is None:
        return value
    found = described(value)
    if found is None:
        return value
    if type(found) not in _WRITTEN:
        raise BadArgument("space", value, f"one of {', '.join(_MAKERS)}", "no function of a file says it")
    match found:
        case Function():
            wanted = "a constant or a domain, and the computation in the program"
            raise BadArgument("sample_from", value, wanted, "a function cannot be written into a file")
        case Float(log=log, q=q) as f:
            name = ("q" if q is not None else "") + ("loguniform" if log else "uniform")
            return Call(f"tune.{name}", f.lower, f.upper, *([] if q is None else [q]))
        case Integer(q=1, log=log) as n:
            return Call("tune.lograndint" if log else "tune.randint", n.lower, n.upper + 1)
        case Integer(log=log, q=q) as n if n.lower < n.upper:
            return Call("tune.qlograndint" if log else "tune.qrandint", n.lower, n.upper, q)
        case Normal(q=q) as n:
            return Call("tune.randn", n.mean, n.sd) if q is None else Call("tune.qrandn", n.mean, n.sd, q)
        case HpChoice(weights=None) as c:
            return Call("hyperopt.hp.choice", c.label, list(c.options))
        case HpChoice(weights=tuple(weights)) as c:
            return Call("hyperopt.hp.pchoice", c.label, [list(p) for p in zip(weights, c.options, strict=True)])
        case Categorical() as c:
            return Call("tune.grid_search" if isinstance(c, Grid) else "tune.choice", c.options)
    assert isinstance(found, Hp)  # noqa: S101 (what is left)
    return _hp_call(found)


def _hp_call(hp: Hp) -> Call:
    arguments = [int(a) if hp.kind == "randint" else a for a in hp.arguments]
    if hp.integer and hp.kind == "quniform" and hp.arguments[2] == 1:
        return Call("hyperopt.hp.uniformint", hp.label, *arguments[:2])
    plain = Call(f"hyperopt.hp.{hp.kind}", hp.label, *arguments)
    return plain if not hp.integer or hp.kind == "randint" else Call("hyperopt.pyll.scope.int", plain)


def _label(given: object) -> str:
    if not isinstance(given, str) or not given:
        raise BadArgumentType("label", given, "text: the first argument of each hp.*")
    return given


def _n(given: Any) -> Any:
    """Return *given*; where it is the text of a number, the number."""
    if not isinstance(given, str) or not _NUMBER.fullmatch(given.strip()):
        return given
    number = float(given)
    return int(number) if number.is_integer() and not math.isinf(number) and "e" not in given.lower() else number
