"""What a value in a search space stands for."""

from __future__ import annotations

from typing import TypeAlias

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space.categorical import Grid
from luthier.core.space.domain import Domain
from luthier.core.space.function import Function

Described: TypeAlias = Domain | Function


def described(value: object, where: str = "") -> Described | None:
    """Return the domain or function that *value* stands for, or None if it stands for itself.

    Domains and functions stand for themselves, ``{"grid_search": [...]}`` for a grid.  Any other object takes part by
    a method ``__domain__()`` that returns one of these.

    Raises:
        BadArgument: where the description cannot be used; it begins with *where*.
    """
    if isinstance(value, (Domain, Function)):
        return value
    try:
        if isinstance(value, dict):
            return _spelled_out(value)
        convert = getattr(type(value), "__domain__", None)
        if convert is not None:
            found: Described = convert(value)
            return found
    except BadArgument as error:
        argument = where + error.argument if error.argument.startswith("[") else f"{where}.{error.argument}"
        raise type(error)(argument if where else error.argument, error.given, error.wanted, error.why) from error
    if type(value).__module__.startswith("ray.tune.search.sample"):
        raise BadArgumentType(where or "value", value, "the function of the same name in luthier.tune", "it is Ray's")
    return None


def _spelled_out(value: dict[object, object]) -> Grid | None:
    if len(value) != 1:
        return None
    if "grid_search" in value:
        try:
            return Grid(value["grid_search"])  # type: ignore[arg-type]
        except BadArgument as error:
            raise type(error)("['grid_search']", error.given, error.wanted, error.why) from error
    code = value.get("eval")
    if isinstance(code, str):
        wanted = f"tune.sample_from(lambda spec: {code:.80})"
        raise BadArgument("['eval']", code, wanted, "text is not run as code")
    return None


def holds_domains(value: object, where: str = "") -> bool:
    """Whether *value* is a domain or function, or a dict, list or tuple that holds one.

    Raises:
        BadArgument: where a description in it cannot be used; its place is told from *where* on.
    """
    if described(value, where) is not None:
        return True
    if isinstance(value, dict):
        return any(holds_domains(item, f"{where}[{key!r}]" if where else "") for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return any(holds_domains(item, f"{where}[{i}]" if where else "") for i, item in enumerate(value))
    return False
