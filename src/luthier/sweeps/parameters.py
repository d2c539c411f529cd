"""From the ``parameters`` of a sweep file to a search space."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.core.space import Beta, Categorical, Domain, Float, Grid, Integer, Normal, Rounded, Weighted, same
from luthier.core.space.described import holds_domains
from luthier.core.space.multiples import Multiples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luthier.core.space import Path
    from luthier.sweeps.checking import Checked

NAME = "name"  # under which a run finds which option of a choice it has
_EXPONENTS = {"log_uniform": "log_uniform_values", "inv_log_uniform": "inv_log_uniform_values",
              "q_log_uniform": "q_log_uniform_values"}  # fmt: skip


class Reading:
    """Reads parameters that the schema has passed; *checked* hears what is wrong all the same.

    Args:
        checked: the file.
        grid: whether each parameter is walked rather than drawn.
    """

    def __init__(self, checked: Checked, *, grid: bool) -> None:
        self.checked, self.grid = checked, grid

    def space(self, parameters: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """Return the search space in Tune's words: dicts of domains and constants."""
        return {name: self._one(found, (*path, name)) for name, found in parameters.items()}

    def _one(self, found: Mapping[str, Any], path: Path) -> Any:
        if "parameters" in found:
            return self.space(found["parameters"], (*path, "parameters"))
        try:
            if "choice" in found:
                return self._choice(found, path)
            if "value" in found:
                return self._plain(found["value"], (*path, "value"))
            if "values" in found:
                return self._values(found, path)
            return self._numbers(found, path)
        except BadArgument as error:
            inner = error.argument if error.argument in found else ""
            why = f": {error.why}" if error.why else ""
            text = f"{error.given!r:.200} cannot be used{why}; give {error.wanted}"
            self.checked.wrong((*path, inner) if inner else path, text)
            return None

    # -- choices -------------------------------------------------------------------------------------------------------
    def _choice(self, found: Mapping[str, Any], path: Path) -> Domain:
        choice, inside = found["choice"], (*path, "choice")
        if isinstance(choice, list):
            options = [self._one(option, (*inside, place)) for place, option in enumerate(choice)]
        else:
            options = []
            for name, parameters in choice.items():
                if parameters and NAME in parameters:
                    self.checked.wrong((*inside, name, NAME), f"{NAME!r} is where a run finds which option it has")
                options.append({NAME: name, **self.space(parameters or {}, (*inside, name))})
        return self._options(options, found, path)

    def _values(self, found: Mapping[str, Any], path: Path) -> Domain:
        values = [self._plain(value, (*path, "values", place)) for place, value in enumerate(found["values"])]
        if self.grid:
            values = self._distinct(values, path)
        return self._options(values, found, path)

    def _options(self, options: Sequence[Any], found: Mapping[str, Any], path: Path) -> Domain:
        if "probabilities" not in found:
            return Grid(options) if self.grid else Categorical(options)
        if self.grid:
            self.checked.wrong(
                (*path, "probabilities"),
                "a grid walks all values: leave probabilities out, or draw them (method: random)",
            )
            return Grid(options)
        return Weighted(options, found["probabilities"])

    def _distinct(self, values: list[Any], path: Path) -> list[Any]:
        kept: list[Any] = []
        for value in values:
            if not any(same(value, other) for other in kept):
                kept.append(value)
        if len(kept) < len(values):
            self.checked.warn((*path, "values"), "a value is there twice; the grid has it once")
        return kept

    def _plain(self, value: Any, path: Path) -> Any:
        try:
            plain = not holds_domains(value)
        except BadArgument:
            plain = False
        if not plain:
            self.checked.wrong(
                path, "a mapping whose one key is 'grid_search' or 'eval' is no constant; give it another key"
            )
        return value

    # -- numbers -------------------------------------------------------------------------------------------------------
    def _numbers(self, found: Mapping[str, Any], path: Path) -> Any:
        kind = found.get("distribution") or ("int_uniform" if _whole(found) else "uniform")
        if "min" in found and not found["min"] < found["max"]:
            self.checked.wrong((*path, "max"), f"{found['max']} is not above min, which is {found['min']}")
            return None
        if self.grid:
            return self._walked(kind, found, path)
        if kind in _EXPONENTS:
            found, kind = self._powers(kind, found, path)
        domain = _DOMAINS[kind.removeprefix("q_")](found)
        return self._rounded(domain, found, path) if kind.startswith("q_") else domain

    def _walked(self, kind: str, found: Mapping[str, Any], path: Path) -> Domain | None:
        if kind == "int_uniform":
            return Grid(range(found["min"], found["max"] + 1))
        if kind == "q_uniform":
            return Grid(steps(found["min"], found["max"], found.get("q", 1.0)))
        self.checked.wrong(
            path,
            f"a grid cannot walk {kind}: give values, value, int_uniform or q_uniform, or draw it (method: random)",
        )
        return None

    def _powers(self, kind: str, found: Mapping[str, Any], path: Path) -> tuple[Mapping[str, Any], str]:
        low, high, modern = found["min"], found["max"], _EXPONENTS[kind]
        if kind == "inv_log_uniform":
            low, high = -high, -low
        try:
            bounds = {"min": math.exp(low), "max": math.exp(high)}
        except OverflowError:
            bounds = {"min": 0.0, "max": math.inf}
        low, high = bounds["min"], bounds["max"]
        if not 0 < low < high < math.inf:
            wanted = "exponents to the base e between -700 and 700"
            raise BadArgument("max", found["max"], wanted, f"{kind} takes exponents")
        text = f"{kind} takes exponents to the base e, so that values lie between {low:g} and {high:g}"
        self.checked.warn((*path, "distribution"), f"{text}; {modern} takes the bounds themselves")
        return {**found, **bounds}, modern

    def _rounded(self, domain: Domain, found: Mapping[str, Any], path: Path) -> Domain:
        q = found.get("q", 1.0)
        whole = isinstance(q, int)
        if isinstance(domain, Normal) and not whole:
            return Normal(domain.mean, domain.sd, q, log=domain.log)
        if isinstance(domain, Float):
            multiples = Multiples("q", q)
            even = multiples.has(domain.lower) and multiples.has(domain.upper)
            if even and not whole:
                return Float(domain.lower, domain.upper, log=domain.log, q=q)
            if not even:
                self.checked.warn(
                    path, f"min and max are no multiples of q={q}: what is drawn are the multiples between them"
                )
        return Rounded(domain, q, whole=whole)


def _whole(found: Mapping[str, Any]) -> bool:
    return isinstance(found["min"], int) and isinstance(found["max"], int)


def _log(found: Mapping[str, Any]) -> Float:
    return Float(found["min"], found["max"], log=True)


_DOMAINS: Mapping[str, Callable[[Mapping[str, Any]], Domain]] = {
    "int_uniform": lambda p: Integer(p["min"], p["max"]),
    "uniform": lambda p: Float(p["min"], p["max"]),
    "log_uniform_values": _log,
    "inv_log_uniform_values": _log,  # log(1 / x) is uniform where log(x) is
    "normal": lambda p: Normal(p.get("mu", 0.0), p.get("sigma", 1.0)),
    "log_normal": lambda p: Normal(p.get("mu", 0.0), p.get("sigma", 1.0), log=True),
    "beta": lambda p: Beta(p.get("a", 1.0), p.get("b", 1.0)),
}


def steps(least: float, most: float, q: float) -> list[float]:
    """Return *least*, *least* + *q* and so on, below *most*: what W&B's grid has of ``q_uniform``.

    Where *most* is a whole number of steps away it is left out, as far as floats can tell.

    >>> steps(0, 1, 0.25), steps(0, 10, 5)
    ([0.0, 0.25, 0.5, 0.75], [0, 5])
    """
    count = math.ceil((most - least) / q)
    begin, step = Fraction(repr(least)), Fraction(repr(q))  # the decimals as they are written: no dust
    whole = all(isinstance(number, int) for number in (least, most, q))
    values = (begin + k * step for k in range(count))
    return [int(value) if whole else float(value) for value in values]
