"""A look at ``executor_options`` before anything is started with them."""

from __future__ import annotations

import difflib
import inspect
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ANY = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def check_keywords(options: Mapping[str, Any], taker: Callable[..., Any], *further: Callable[..., Any]) -> None:
    """Refuse *options* of which one is an argument neither of *taker* nor of *further*, to which it passes them on.

    >>> import json
    >>> check_keywords({"indents": 2}, json.dumps)  # doctest: +NORMALIZE_WHITESPACE
    Traceback (most recent call last):
    ...
    luthier.core.errors.BadArgument: executor_options={'indents': 2} cannot be used: json.dumps has no argument
    'indents'; give 'indent'.

    Raises:
        BadArgument: the text names the one that is meant, as far as that can be guessed.
    """
    known = [
        name
        for callable_ in (taker, *further)
        for name, parameter in inspect.signature(callable_).parameters.items()
        if parameter.kind not in _ANY and name != "self"
    ]
    for name in options:
        if name not in known and not name.startswith("_"):  # those with an underscore nobody declares
            near = difflib.get_close_matches(name, known, 1)
            wanted = repr(near[0]) if near else "its own"
            why = f"{taker.__module__.partition('.')[0]}.{taker.__name__} has no argument {name!r}"
            raise BadArgument("executor_options", dict(options), wanted, why)
