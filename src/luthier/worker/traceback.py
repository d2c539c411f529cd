"""Tracebacks as a user wants them: their own frames, none of ours."""

from __future__ import annotations

import os
from traceback import TracebackException

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_USERS = ("cli", "demo", "examples", "testing")  # parts of the package that play the user


def users_traceback(error: BaseException) -> str:
    """Return the traceback of *error* and of what caused it, without the frames of this package.

    The last line is the exception; for a ``SystemExit`` it says that the trainable called ``sys.exit``.

    >>> try:
    ...     [][1]
    ... except IndexError as error:
    ...     print(users_traceback(error).splitlines()[-1])
    IndexError: list index out of range
    """
    told = TracebackException.from_exception(error, capture_locals=False)
    _filter(told, set())
    lines = list(told.format())
    if isinstance(error, SystemExit):
        del lines[len(lines) - len(list(told.format_exception_only())) :]
        lines.append(f"SystemExit: the trainable called sys.exit({error.code!r})")
    return "".join(lines).rstrip("\n") + "\n"


def is_ours(filename: str) -> bool:
    """Whether a frame of that file is the machinery's, not the user's.

    >>> is_ours(__file__), is_ours("train.py")
    (True, False)
    """
    if not filename.startswith(_ROOT):
        return False
    return not filename[len(_ROOT) :].startswith(tuple(part + os.sep for part in _USERS))


def _filter(told: TracebackException | None, seen: set[int]) -> None:
    if told is None or id(told) in seen:
        return
    seen.add(id(told))
    if told.stack is not None:
        told.stack[:] = [frame for frame in told.stack if not is_ours(frame.filename)]
        if not told.stack:
            told.stack = None  # type: ignore[assignment]  # no heading without frames
    _filter(told.__cause__, seen)
    _filter(told.__context__, seen)
    for inner in getattr(told, "exceptions", None) or ():
        _filter(inner, seen)
