"""One thread of linear algebra where matrices are small.

Libraries such as OpenBLAS share even small products among as many threads as there are cores, and these wait for each
other in a loop that burns time.  Beside trials that keep all cores busy a proposal then takes ten times as long.
"""

from __future__ import annotations

from functools import cache, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

_usual: dict[str, tuple[Any, int]] = {}  # pools, and how many threads they have outside
_inside: list[None] = []  # one for each of those who want one thread now: the last one out puts things back


class OneThread:
    """A context in which the pools that were loaded when it was made have one thread each.

    Contexts may overlap, in several threads of Python's too.

    >>> with OneThread():
    ...     pass
    """

    def __init__(self) -> None:
        from threadpoolctl import ThreadpoolController

        self._pools: list[Any] = ThreadpoolController().lib_controllers

    def __enter__(self) -> None:
        _inside.append(None)
        for pool in self._pools:
            count = pool.get_num_threads()
            if count != 1:
                _usual[pool.filepath] = (pool, count)
                pool.set_num_threads(1)

    def __exit__(self, *raised: object) -> None:
        _inside.pop()
        while _usual and not _inside:
            _, (pool, count) = _usual.popitem()
            pool.set_num_threads(count)


def one_thread(*modules: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Have a function run with one thread of linear algebra, that of *modules*, which are imported first.

    >>> import numpy as np
    >>> @one_thread("numpy")
    ... def product():
    ...     return (np.ones((2, 2)) @ np.ones((2, 2))).tolist()
    >>> product()
    [[2.0, 2.0], [2.0, 2.0]]
    """

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def calm(*given: P.args, **named: P.kwargs) -> R:
            with _pools(modules):
                return function(*given, **named)

        return calm

    return decorated


@cache
def _pools(modules: tuple[str, ...]) -> OneThread:
    for module in modules:
        import_module(module)
    return OneThread()
