"""A function as a stopper."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.stopper.stopper import Stopper

if TYPE_CHECKING:
    from collections.abc import Callable


class FunctionStopper(Stopper):
    """Asks a function ``(trial_id, result) -> bool``.

    Raises:
        BadArgumentType: that is none, or it cannot be called with these two.

    >>> FunctionStopper(lambda trial_id, result: result["loss"] < 1)("a_00000", {"loss": 0.5})
    True
    """

    def __init__(self, function: Callable[[str, dict[str, Any]], bool]) -> None:
        if not callable(function):
            raise BadArgumentType("function", function, "a function (trial_id, result) -> bool")
        _check_arity(function)
        self._function = function

    @property
    def function_name(self) -> str:
        """What the function is called."""
        return str(getattr(self._function, "__qualname__", type(self._function).__name__))

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return what the function says."""
        return bool(self._function(trial_id, result))

    @classmethod
    def is_valid_function(cls, fn: object) -> bool:
        """Return whether *fn* can be called and is no stopper itself.

        Raises:
            BadArgument: it looks like a stopper (it has ``stop_all``) and is no subclass of ``Stopper``.

        >>> FunctionStopper.is_valid_function(lambda trial_id, result: True)
        True
        """
        if isinstance(fn, Stopper) or not callable(fn):
            return False
        if hasattr(fn, "stop_all"):
            raise BadArgument("stop", fn, "a subclass of luthier.tune.Stopper")
        return True


def _check_arity(function: Callable[..., Any]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # written in C, say: nobody knows
    try:
        signature.bind("trial_id", {})
    except TypeError as error:
        takes = f"it takes {signature}, and gets the trial's id and the result, by position ({error})"
        raise BadArgumentType("stop", function, "a function (trial_id, result) -> bool", takes) from None
