"""W&B's own agents on this machine, one for each GPU: started together, and ended together."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from luthier.agent.child import Child
from luthier.agent.ended import Ended
from luthier.agent.endings import how
from luthier.agent.gpus import Gpus, chosen_gpus
from luthier.agent.member import Member
from luthier.agent.session import groups, tell
from luthier.agent.signals import Signals
from luthier.agent.telling import Telling
from luthier.core.errors import BadArgument, LuthierError, MissingLibrary, ServerError
from luthier.sweeps.address import server_address, sweep_address
from luthier.sweeps.client import Client
from luthier.sweeps.credentials import key_for
from luthier.sweeps.read import read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GRACE_S = 10.0
_LOOK_S = 0.2  # for what wakes nobody: signals
_ANY_KEY = "local-" + "0" * 40  # the client wants one where the server wants none
_OF_RUNS = ("WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH", "WANDB_RUN_ID", "WANDB_SERVICE", "_WANDB_SERVICE")


def fleet(  # noqa: PLR0913 (each has its use, most have a default that will do)
    sweep: str,
    count: int | None = None,
    *,
    server: str | None = None,
    key: str | None = None,
    size: int | None = None,
    gpus: str = "auto",
    workdir: str | os.PathLike[str] | None = None,
    grace_s: float = GRACE_S,
    quiet: bool = False,
) -> Ended:
    """Run ``wandb agent`` here for *sweep*, once for each GPU, until all have ended.

    Args:
        sweep: its id, or the URL of its page.
        count: how many runs they start at most, all of them together; each gets its share of these.
        server: the server's URL; ``LUTHIER_SERVER`` where None, else ``WANDB_BASE_URL``.
        key: the API key; ``LUTHIER_API_KEY``, or what ``luthier login`` has kept, where None; else ``WANDB_API_KEY``,
            where that is for the same server.
        size: how many agents there are; where None, one for each GPU, or one.
        gpus: which GPUs there are, as for :func:`luthier.agent.entry.agent`; an agent keeps its own while it lives.
        workdir: where programs run; the current directory where None.
        grace_s: seconds that runs have to end when they are asked to, and once more when they are told to.
        quiet: whether only what is wrong is told.

    Returns:
        Why they have ended, and how many of them how.

    Raises:
        MissingLibrary: wandb is not installed.
        BadArgument: an argument cannot be used.
        ServerError: the server cannot be reached, or knows no such sweep.
    """
    command, path = _command()
    found, server = sweep_address(sweep, server)
    server, key = as_the_client(server, key)
    where = Path(workdir or ".").expanduser().absolute()
    if not where.is_dir():
        raise BadArgument("workdir", os.fspath(workdir or "."), "a directory that exists")
    held = Gpus(chosen_gpus(gpus))
    telling = Telling(quiet=quiet)
    with Client(server, key) as client:
        known = client.sweep(found)
        spec = read(str(known["config"]))
        if spec.program is None and "${program}" in spec.command:
            raise LuthierError(
                f"the sweep {found} has no program: wandb.agent({found!r}, function=...) calls a function"
            )
        telling.registered(known, client.server)
        environ = _environment(client, str(known["project"]), path)
        with Signals() as signals:
            ended = Fleet([*command, "agent"], found, environ, str(where), telling, grace_s).run(
                shares(count, size or len(held.ids) or 1), held, signals
            )
        telling.gone(ended)
        if not ended.code:
            with contextlib.suppress(ServerError):  # it is only for people
                telling.best(client.sweep(found), client.server)
    return ended


def shares(count: int | None, size: int) -> list[int | None]:
    """Return how many runs each of *size* agents starts, *count* in all; who would start none is left out.

    >>> shares(None, 2), shares(5, 2), shares(1, 4)
    ([None, None], [3, 2], [1])
    """
    if count is None:
        return [None] * size
    return [count // size + (i < count % size) for i in range(min(size, count))]


def as_the_client(server: str | None, key: str | None) -> tuple[str | None, str | None]:
    """Return server and key, from the variables of W&B's client where nothing of Luthier's says them."""
    theirs, said = os.environ.get("WANDB_BASE_URL", "").rstrip("/"), server or os.environ.get("LUTHIER_SERVER")
    if not theirs:
        return server, key
    if said:
        if said.rstrip("/") == theirs and not os.environ.get("LUTHIER_API_KEY"):
            key = key or key_for(server_address(said)) or os.environ.get("WANDB_API_KEY")
        return server, key
    theirs = server_address(theirs)
    if (urlsplit(theirs).hostname or "").endswith("wandb.ai"):  # W&B's own is none of Luthier's
        return server, key
    return theirs, key or key_for(theirs) or os.environ.get("WANDB_API_KEY")


def _command() -> tuple[list[str], str]:
    """Return how to call ``wandb``, and the ``PATH`` for it: programs are run by the Python that wandb is with."""
    path = os.environ.get("PATH", os.defpath)
    there = find_spec("wandb")
    if there is not None and there.origin is not None:  # a directory for runs is called wandb, too
        return [sys.executable, "-m", "wandb"], f"{Path(sys.executable).parent}{os.pathsep}{path}"
    if (elsewhere := shutil.which("wandb")) is not None:
        return [elsewhere], path
    raise MissingLibrary("luthier agent --wandb", "wandb", "wandb")


def _environment(client: Client, project: str, path: str) -> dict[str, str]:
    """Return what tells W&B's client where the server is; what W&B would have it tell elsewhere is left out."""
    kept = {name: text for name, text in os.environ.items() if name not in _OF_RUNS}
    return {
        "PYTHONUNBUFFERED": "1",  # lines are shown when they are printed
        "WANDB_ERROR_REPORTING": "false",
        **kept,
        "PATH": path,
        "WANDB_BASE_URL": client.server,
        "WANDB_API_KEY": client.key or _ANY_KEY,
        "WANDB_PROJECT": project,
    }


class Fleet:
    """Several processes of ``wandb agent``, each behind a guard: none outlives this process.

    Args:
        command: what they are started with, before their options.
        sweep: the id of a sweep.
        environ: their environment.
        folder: where they run.
        telling: shows what they print.
        grace_s: seconds between asking, telling and killing.
    """

    def __init__(
        self, command: Sequence[str], sweep: str, environ: Mapping[str, str], folder: str, telling: Telling,
        grace_s: float,
    ) -> None:  # fmt: skip
        self._command, self._sweep, self._environ, self._folder = list(command), sweep, dict(environ), folder
        self._telling, self._grace_s = telling, grace_s
        self._members: list[Member] = []
        self._stage, self._deadline = 0, 0.0

    def run(self, counts: Sequence[int | None], gpus: Gpus, signals: Signals) -> Ended:
        """Start an agent for each of *counts*, and see all of them to their ends."""
        codes: list[int | None] = []
        with selectors.DefaultSelector() as selector:
            try:
                for number, count in enumerate(counts):
                    self._start(number, count, gpus, selector)
                while self._members:
                    self._steer(signals)
                    for key, _ in selector.select(_LOOK_S):
                        if not key.data.hear(key.fileobj):
                            selector.unregister(key.fileobj)
                    for member in [member for member in self._members if member.over]:
                        for source in [s for s in selector.get_map().values() if s.data is member]:
                            selector.unregister(source.fileobj)
                        codes.append(self._bury(member))
            finally:
                self._kill_all()
        counts_of = dict(Counter("finished" if code == 0 else "left" if signals.reason else "failed" for code in codes))
        if signals.reason:
            return Ended(signals.reason, 128 + signals.number, counts_of)
        worst = next((code for code in codes if code != 0), 0)
        return Ended("", 1 if worst is None else worst if worst >= 0 else 128 - worst, counts_of)

    def _start(self, number: int, count: int | None, gpus: Gpus, selector: selectors.BaseSelector) -> None:
        argv = [*self._command, *(() if count is None else ("--count", str(count))), self._sweep]
        environ, name = dict(self._environ), f"agent {number}"
        if gpus.ids:
            mine = ",".join(gpus.take(name, None) or ())
            environ["CUDA_VISIBLE_DEVICES"] = mine
            name += f" (gpu {mine})"
        try:
            child = Child(argv, environ, self._folder)
        except OSError as error:
            raise LuthierError(f"{argv[0]} cannot be started: {error}") from error
        member = Member(name, child, self._telling.printed)
        self._members.append(member)
        for source in (child.out, child.err, child.line):
            selector.register(source, selectors.EVENT_READ, member)

    def _steer(self, signals: Signals) -> None:
        """Once a signal has come, end all: SIGINT, later SIGTERM, in the end SIGKILL."""
        now = time.monotonic()
        if signals.insisted and self._stage:
            self._stage, self._deadline = 3, now
        elif signals.reason and not self._stage:
            self._telling.note(f"{signals.reason}: what runs here is asked to end; once more, and it is killed")
            self._next(now)
            for member in self._members:  # what an agent runs is in a group of its own: Ctrl-C would not reach it
                tell(groups(member.child.pid), signal.SIGINT)
        elif self._stage == 1 and now >= self._deadline:
            self._next(now)
            for member in self._members:  # an agent that gets SIGTERM leaves its run behind: it waits for that
                programs = groups(member.child.pid) - {member.child.pid}
                tell(programs or {member.child.pid}, signal.SIGTERM)
        elif self._stage == 2 and now >= self._deadline:  # noqa: PLR2004 (the next one)
            self._next(now)
        if self._stage == 3:  # noqa: PLR2004 (the last one)
            for member in self._members:
                member.child.kill()

    def _next(self, now: float) -> None:
        self._stage, self._deadline = self._stage + 1, now + self._grace_s

    def _bury(self, member: Member) -> int | None:
        self._members.remove(member)
        member.close()
        code = member.child.code
        if code != 0 and not self._stage:
            self._telling.note(f"{member.name} has ended: {how(code)}")
        return code

    def _kill_all(self) -> None:
        """Leave nothing behind, whatever has happened."""
        for member in self._members:
            while not member.child.gone:
                member.child.kill()
                time.sleep(0.005)
            member.close()
