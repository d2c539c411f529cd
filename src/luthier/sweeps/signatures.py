"""Signatures of functions that are called by data: what they take, and a complaint that says what was meant."""

from __future__ import annotations

import ast
import difflib
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def signature_of(text: str) -> Signature:
    """Return the signature that *text* spells, as in a definition; defaults are literals.

    >>> signature_of("space=None, gamma=0.25, *, seed=None, **kwargs")
    <Signature (space=None, gamma=0.25, *, seed=None, **kwargs)>
    """
    (definition,) = ast.parse(f"def f({text}): ...").body
    assert isinstance(definition, ast.FunctionDef)  # noqa: S101 (for the type checker)
    given = definition.args
    ordered = [*([None] * (len(given.args) - len(given.defaults))), *given.defaults]
    found = [_parameter(*pair, by_name=False) for pair in zip(given.args, ordered, strict=True)]
    found += [_parameter(*pair, by_name=True) for pair in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    if given.kwarg is not None:
        found.append(Parameter(given.kwarg.arg, Parameter.VAR_KEYWORD))
    return Signature(found)


def _parameter(arg: ast.arg, default: ast.expr | None, *, by_name: bool) -> Parameter:
    kind = Parameter.KEYWORD_ONLY if by_name else Parameter.POSITIONAL_OR_KEYWORD
    return Parameter(arg.arg, kind, default=Parameter.empty if default is None else ast.literal_eval(default))


def bound(who: str, signature: Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what *who* is called with, by name; what is left out stays out.

    Raises:
        BadArgument: *who* does not take it, or lacks something; the text says what was probably meant.

    >>> bound("tune.uniform", signature_of("lower, upper"), [0], {"upper": 1})
    {'lower': 0, 'upper': 1}
    """
    parameters = signature.parameters
    named = [name for name, each in parameters.items() if each.kind is not Parameter.VAR_KEYWORD]
    in_order = [name for name in named if parameters[name].kind is not Parameter.KEYWORD_ONLY]
    if len(args) > len(in_order):
        wanted = f"at most {len(in_order)} arguments: {', '.join(in_order)}" if in_order else "no arguments"
        raise BadArgumentType(who, list(args), wanted)
    found = dict(zip(in_order, args, strict=False))
    rest = len(named) < len(parameters)
    for name, value in kwargs.items():
        if name in found:
            raise BadArgumentType(f"{who}.{name}", value, "it once", "it is there already")
        if name not in named and not rest:
            raise BadArgument(f"{who}.{name}", value, meant(name, named), f"there is no argument {name!r}")
        found[name] = value
    for name in named:
        if name not in found and parameters[name].default is Parameter.empty:
            raise BadArgumentType(f"{who}.{name}", None, f"{', '.join(in_order)}", f"{name!r} is missing")
    return found


def meant(given: str, known: Iterable[str]) -> str:
    """Return in words what *given* may have been meant for.

    >>> meant("HyperOptSerch", ["AxSearch", "HyperOptSearch"])
    "'HyperOptSearch', or another of AxSearch, HyperOptSearch"
    >>> meant("zzz", ["a", "b"])
    'one of a, b'
    """
    names = list(known)
    lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(given.lower(), lower, 1, 0.6)
    listed = ", ".join(names)
    if not names:
        return "nothing"
    return f"{lower[close[0]]!r}, or another of {listed}" if close else f"one of {listed}"
