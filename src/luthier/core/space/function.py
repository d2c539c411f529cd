"""Values that are computed from the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from luthier.core.errors import BadArgumentType

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.core.rng import Rng

    Caller: TypeAlias = Callable[[Callable[[Any], Any], Any, Rng], Any]


def _plainly(function: Callable[[Any], Any], config: Any, rng: Rng) -> Any:  # noqa: ARG001 (no chance to tame)
    return function(config)


class Function:
    """A value that *function* computes from the rest of the config; not an axis, since nothing leads back.

    Args:
        function: takes the config (values by key or by attribute), or nothing.
        caller: calls it: ``caller(function, config, rng)``.  The way in for those who must see to it that chance
            inside the function is repeatable.

    Raises:
        BadArgumentType: if *function* cannot be called with one argument nor with none.
    """

    __slots__ = ("caller", "function", "takes_config")

    def __init__(self, function: Callable[..., Any], caller: Caller = _plainly) -> None:
        self.function, self.caller = function, caller
        self.takes_config = _takes_config(function)

    def compute(self, config: Any, rng: Rng) -> Any:
        """Return the value for *config*."""
        return self.caller(self._call, config, rng)

    def _call(self, config: Any) -> Any:
        return self.function(config) if self.takes_config else self.function()

    def __repr__(self) -> str:
        return f"Function({getattr(self.function, '__qualname__', self.function)})"


def _takes_config(function: object) -> bool:
    from inspect import signature

    wanted = "a function that takes the config, or nothing"
    if not callable(function):
        raise BadArgumentType("func", function, wanted)
    try:
        parameters = signature(function)
    except ValueError:  # a function in C that does not say
        return False
    for arguments in (("config",), ()):
        try:
            parameters.bind(*arguments)
        except TypeError:
            continue
        return bool(arguments)
    raise BadArgumentType("func", function, wanted)
