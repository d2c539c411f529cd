"""Functions as trainables: which ones there are, and how one is run."""

from __future__ import annotations

import functools
import inspect
from enum import Enum
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.worker.metrics import is_scalar
from luthier.worker.notices import deprecated
from luthier.worker.session import ANONYMOUS
from luthier.worker.trainable import Trainable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from luthier.core.terms import Config
    from luthier.worker.session import Session

_WANTED = "a function of one argument, the config, or a subclass of Trainable"


class Style(Enum):
    """What a function is called with."""

    CONFIG = "f(config)"
    CHECKPOINT_DIR = "f(config, checkpoint_dir=None)"
    REPORTER = "f(config, reporter)"


def check_trainable(trainable: Any) -> None:
    """See that *trainable* can be run, before any trial starts.

    Functions, lambdas, partials, bound methods and callable objects of one argument are fine, and so are subclasses
    of :class:`Trainable` that define ``step``.

    Raises:
        BadArgument: it cannot; the text says why.

    >>> check_trainable(lambda config: config["x"] ** 2)
    >>> check_trainable(lambda: 1)
    Traceback (most recent call last):
        ...
    luthier.core.errors.BadArgument: trainable=... cannot be used: it is called as <lambda>(): no room for the ...
    """
    if inspect.isclass(trainable):
        if not issubclass(trainable, Trainable):
            raise BadArgumentType("trainable", trainable, _WANTED, "this class is no subclass of Trainable")
        if trainable.step is Trainable.step and trainable.train is Trainable.train:
            raise BadArgument("trainable", trainable, "a class that defines step()", "it does not say what a step is")
        return
    if not callable(trainable):
        raise BadArgumentType("trainable", trainable, _WANTED, f"an object of type {type(trainable).__name__}")
    style_of(trainable)


def style_of(function: Callable[..., Any]) -> Style:
    """Return what *function* is to be called with.

    Raises:
        BadArgument: it cannot be called with a config alone, nor in one of the older ways.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return Style.CONFIG  # built in: it will say so itself
    names = signature.parameters
    for style, extra in ((Style.CHECKPOINT_DIR, "checkpoint_dir"), (Style.REPORTER, "reporter")):
        if extra in names and _binds(signature, {extra: None}) is None:
            return style
    problem = _binds(signature, {})
    if problem is None:
        return Style.CONFIG
    name = getattr(function, "__name__", type(function).__name__)
    if not names:
        problem = "no room for the config"
    more = "; give further arguments with tune.with_parameters(f, name=value)" if len(names) > 1 else ""
    raise BadArgument("trainable", function, _WANTED + more, f"it is called as {name}{signature}: {problem}")


def run_function(function: Callable[..., Any], config: Config, session: Session) -> None:
    """Run *function* to its end; what it returns or yields is reported.

    Raises:
        TypeError: it returned something that is neither a dict nor a number nor None.
    """
    outcome = _call(function, config, session)
    if inspect.isawaitable(outcome):
        import asyncio

        outcome = asyncio.run(_awaited(outcome))
    if inspect.isgenerator(outcome):
        _report(_iterate(outcome, session), session, "returned")
    elif inspect.isasyncgen(outcome):
        import asyncio

        asyncio.run(_drain(outcome, session))
    else:
        _report(outcome, session, "returned")


def _call(function: Callable[..., Any], config: Config, session: Session) -> Any:
    match _known_style(function):
        case Style.CHECKPOINT_DIR:
            deprecated("def f(config, checkpoint_dir=None)", "def f(config) and tune.get_checkpoint()", stacklevel=2)
            restore = session.checkpoint
            return function(config, checkpoint_dir=None if restore is None else restore.path)
        case Style.REPORTER:
            deprecated("def f(config, reporter)", "def f(config) and tune.report({...})", stacklevel=2)
            return function(config, reporter=_reporter(session))
        case Style.CONFIG:
            return function(config)


def _known_style(function: Callable[..., Any]) -> Style:
    """Return the function's style; looking at a signature takes longer than a short trial."""
    try:
        return _style(function)
    except TypeError:  # not hashable
        return style_of(function)


_style = functools.lru_cache(maxsize=64)(style_of)


def _reporter(session: Session) -> Callable[..., None]:
    def reporter(_metric: Any = None, **metrics: Any) -> None:
        session.report(metrics if _metric is None else {ANONYMOUS: _metric, **metrics})

    return reporter


def _binds(signature: inspect.Signature, extra: dict[str, None]) -> str | None:
    """Return why a config and *extra* do not suit *signature*; None if they do."""
    try:
        signature.bind({}, **extra)
    except TypeError as error:
        return str(error)
    return None


def _report(outcome: Any, session: Session, how: str) -> None:
    if outcome is None or (isinstance(outcome, dict) and not outcome):
        return
    if isinstance(outcome, dict):
        session.report(outcome)
    elif is_scalar(outcome):
        session.report({ANONYMOUS: outcome})
    else:
        raise TypeError(
            f"the trainable {how} {outcome!r:.100} of type {type(outcome).__name__}; it may have {how} a dict of "
            "metrics, a number, or None"
        )


def _iterate(generator: Iterator[Any], session: Session) -> Any:
    """Report what *generator* yields; return what it returns."""
    try:
        while True:
            _report(next(generator), session, "yielded")
    except StopIteration as end:
        return end.value
    finally:
        generator.close()  # type: ignore[attr-defined]  # its finally blocks run before the attempt ends


async def _awaited(outcome: Any) -> Any:
    return await outcome


async def _drain(generator: AsyncIterator[Any], session: Session) -> None:
    try:
        async for outcome in generator:
            _report(outcome, session, "yielded")
    finally:
        await generator.aclose()  # type: ignore[attr-defined]
