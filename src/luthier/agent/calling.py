"""``python -m luthier.agent.calling FILE``: calls a pickled function with the parameters of the run."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core.errors import LuthierError
from luthier.worker.picklable import pickled

if TYPE_CHECKING:
    from collections.abc import Callable


class Call(msgspec.Struct, frozen=True):
    """A function on its way to another process.

    Attributes:
        path: where its modules are found.
        argv: what ``sys.argv`` was where it comes from.
        function: pickled by cloudpickle.
    """

    path: list[str]
    argv: list[str]
    function: bytes


def write_call(file: Path, function: Callable[..., Any]) -> Path:
    """Write *function* to *file*; return that.

    Raises:
        BadArgument: it cannot be pickled; the text says what in it cannot.
    """
    path = [entry or os.getcwd() for entry in sys.path if isinstance(entry, str)]
    file.write_bytes(msgspec.msgpack.encode(Call(path, list(sys.argv), pickled(function))))
    return file


def main(file: str) -> int:
    """Call the function in *file*; return the exit code."""
    from luthier.worker.line import line
    from luthier.worker.traceback import users_traceback

    agent = line()
    try:
        call = msgspec.msgpack.decode(Path(file).read_bytes(), type=Call)
        sys.path[:] = call.path
        sys.argv[:] = call.argv
        _call(_loaded(call.function))
    except Exception as error:  # noqa: BLE001 (whatever the user's function raises)
        text = users_traceback(error)
        sys.stderr.write(text)
        sys.stderr.flush()
        if agent is not None:
            agent.say({"is": "error", "text": text})
        return 1
    return 0


def _loaded(function: bytes) -> Callable[..., Any]:
    import pickle

    found: Callable[..., Any] = pickle.loads(function)  # noqa: S301 (the agent, our parent, wrote it)
    main_module = sys.modules["__main__"].__dict__
    for name, value in getattr(found, "__globals__", {}).items():
        if getattr(found, "__module__", "") == "__main__" and not name.startswith("__"):
            main_module.setdefault(name, value)
    return found


def _call(function: Callable[..., Any]) -> None:
    from luthier.sweeps.run import init
    from luthier.worker.metrics import is_scalar

    run = init()
    wants = _arguments(function)
    result = function(run.config.as_dict()) if wants else function()
    if inspect.isawaitable(result):
        import asyncio

        result = asyncio.run(_awaited(result))
    if inspect.isgenerator(result):
        for row in result:
            _log(run, row)
        return
    if result is not None and (isinstance(result, dict) or is_scalar(result)):
        _log(run, result)
    elif result is not None:
        raise LuthierError(f"the function returned {result!r:.100}: a dict of metrics, a number or None would do")


def _log(run: Any, row: Any) -> None:
    if row is None or (isinstance(row, dict) and not row):
        return
    run.log(row if isinstance(row, dict) else {os.environ.get("LUTHIER_METRIC") or "_metric": row})


async def _awaited(result: Any) -> Any:
    return await result


def _arguments(function: Callable[..., Any]) -> bool:
    """Whether *function* takes the parameters."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind()
    except TypeError:
        return True
    return any(p.kind is not p.VAR_KEYWORD and p.kind is not p.KEYWORD_ONLY for p in signature.parameters.values()
               if p.default is p.empty or p.name in {"config", "params"})  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
