"""``luthier.agent(...)``: one agent, from Python."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.agent.calling import write_call
from luthier.agent.gpus import chosen_gpus
from luthier.agent.loop import GRACE_S, Loop, Settings
from luthier.agent.telling import Telling
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.sweeps.address import sweep_address
from luthier.sweeps.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.agent.ended import Ended


def agent(  # noqa: PLR0913 (each has its use, most have a default that will do)
    sweep: str,
    function: Callable[..., Any] | None = None,
    count: int | None = None,
    *,
    server: str | None = None,
    key: str | None = None,
    name: str = "",
    concurrency: int = 1,
    gpus: str = "auto",
    workdir: str | os.PathLike[str] | None = None,
    lease_s: float | None = None,
    grace_s: float = GRACE_S,
    echo: bool = False,
    quiet: bool = False,
) -> Ended:
    """Run trials of a sweep here, until the sweep is over, *count* runs were started, or Ctrl-C.

    Args:
        sweep: its id, or the URL of its page.
        function: called for each run, in a process of its own: with the parameters if it takes an argument.  What it
            returns, a dict or a number, is its last row of metrics.  Where None, the sweep's command is run.
        count: how many runs it starts at most.
        server: the server's URL; ``LUTHIER_SERVER`` where None.
        key: the API key; ``LUTHIER_API_KEY``, or what ``luthier login`` has kept, where None.
        name: what people call this agent; the machine's name where empty.
        concurrency: how many runs it has at once.
        gpus: which GPUs it may use: ``"auto"`` for those of this machine, ``"none"``, or ids such as ``"0,2"``.  Agents
            of one user on one machine share them: a run gets those that no other has.
        workdir: where programs run; the current directory where None.
        lease_s: seconds after which the server gives its runs to others if it is not heard of.
        grace_s: seconds that a run has to end when it is asked to.
        echo: whether what runs print is shown.
        quiet: whether only what is wrong is told.

    Returns:
        Why it has left, and how many runs ended how.

    Raises:
        BadArgument: an argument cannot be used.
        ServerError: the server cannot be reached, or refuses the agent.
    """
    found, server = sweep_address(sweep, server)
    _check_count("count", count, none=True)
    _check_count("concurrency", concurrency, none=False)
    if function is not None and not callable(function):
        raise BadArgumentType("function", function, "a function")
    for argument, value in (("lease_s", lease_s), ("grace_s", grace_s)):
        if value is not None and not (isinstance(value, int | float) and value >= 0):
            raise BadArgument(argument, value, "seconds")
    where = Path(workdir or ".").expanduser().absolute()
    if not where.is_dir():
        raise BadArgument("workdir", os.fspath(workdir or "."), "a directory that exists")
    settings = Settings(count, concurrency, name, chosen_gpus(gpus), where, lease_s, grace_s, echo)
    with Client(server, key) as client:
        if function is None:
            return Loop(client, found, settings, Telling(quiet=quiet)).run()
        with tempfile.TemporaryDirectory(prefix="luthier-") as folder:
            call = write_call(Path(folder) / "call", function)
            return Loop(client, found, replace(settings, call=call), Telling(quiet=quiet)).run()


def _check_count(name: str, given: object, *, none: bool) -> None:
    if given is None and none:
        return
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise BadArgument(name, given, "a whole number, 1 or more")
