"""Where processes are born: one template for each number of threads, and what is done when that does not work."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Literal

from luthier.core.errors import LuthierError
from luthier.execution.direct import Direct
from luthier.execution.environment import thread_environment
from luthier.execution.template import Template, interpreter_flags
from luthier.worker import orders
from luthier.worker.preamble import Preamble, encode_preamble

if TYPE_CHECKING:
    import selectors
    import socket
    from collections.abc import Mapping

Start = Literal["fork", "spawn", "direct"]

_log = logging.getLogger("luthier")
_DEATHS = 3  # templates in a row that may end before any of them has started a process


class Nursery:
    """Starts processes and says what becomes of them.

    Numerical libraries read how many threads they may have when they are imported, hence one template for each number.

    Args:
        selector: is told to watch the templates.
        trainable: pickled by cloudpickle.
        start: ``fork`` from a template that has loaded the trainable, ``spawn`` fresh interpreters through a template,
            or ``direct``, without one.
        reuse: whether processes take further assignments.
        environ: added to the environment.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        trainable: bytes,
        start: Start,
        environ: Mapping[str, str],
        *,
        reuse: bool,
    ) -> None:
        self._selector, self._trainable, self._start, self._reuse = selector, trainable, start, reuse
        self._environ = environ
        self._templates: dict[int, Template | Direct] = {}
        self._home: dict[int, Template | Direct] = {}  # by child
        self._deaths = 0

    @property
    def impatient(self) -> bool:
        """Whether somebody has to be asked from time to time, because no selector will tell."""
        return self._start == "direct" and bool(self._home)

    def bear(self, child: int, sock: socket.socket, threads: int, environ: Mapping[str, str]) -> None:
        """Start process *child* with *sock*, which is closed here; :meth:`hear` tells when it is there.

        Args:
            child: the number of the process.
            sock: its end of the pair of sockets.
            threads: what it computes with.
            environ: what it needs in its environment before it imports anything.
        """
        template = self._templates.get(threads)
        if template is None:
            template = self._templates[threads] = self._found(threads)
        self._home[child] = template
        template.bear(child, sock, environ)

    def preamble_for(self, child: int) -> bytes:
        """Return what process *child* reads before its first assignment."""
        home = self._home.get(child)
        return b"" if home is None or home.forks else self._preamble(self._trainable)

    def cancel(self, child: int) -> bool:
        """Take back a birth that still waits; whether it did."""
        waiting = self._home[child].waiting
        if child not in waiting:
            return False
        sock, _ = waiting.pop(child)
        sock.close()
        del self._home[child]
        return True

    def signal(self, child: int, signum: int, *, group: bool = False) -> None:
        """Send *signum* to a process or to its group, unless it is gone."""
        if child in self._home:
            self._home[child].signal(child, signum, group=group)

    def hear(self, template: Template | Direct) -> list[Any]:
        """Return the ``Born``, ``Stillborn`` and ``Died`` of a template whose socket can be read.

        Raises:
            LuthierError: the trainable cannot be loaded, or templates keep dying.
        """
        messages = template.hear()
        news: list[Any] = []
        for message in self._lost(template) if messages is None else messages:
            match message:
                case orders.Failed(traceback):
                    raise unloadable(traceback)
                case orders.Ready(obstacle):
                    if obstacle:
                        self._execute_instead(template, obstacle)
                    continue
                case orders.Born():
                    self._deaths = 0
                case orders.Died(child) | orders.Stillborn(child):
                    self._home.pop(child, None)
            news.append(message)
        return news

    def ask(self) -> list[Any]:
        """Return the news of those that no selector watches."""
        return [news for t in self._templates.values() if isinstance(t, Direct) for news in self.hear(t)]

    def close(self) -> None:
        """End all templates, and with them whatever they have started."""
        for template in self._templates.values():
            if isinstance(template, Template):
                template.dismiss()  # all at once first, so that they end side by side
        for template in self._templates.values():
            template.bury()
        self._templates.clear()
        self._home.clear()

    # -- templates ---------------------------------------------------------------------------------------------------
    def _found(self, threads: int) -> Template | Direct:
        environ = {**os.environ, **thread_environment(threads, {**os.environ, **self._environ}), **self._environ}
        if self._start == "direct":
            return Direct(environ)
        forks = self._start == "fork"
        if forks:  # asking whether there is a GPU must not start CUDA in a process that is to be forked
            environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
        return Template(self._selector, self._preamble(self._trainable if forks else b""), environ, forks=forks)

    def _preamble(self, trainable: bytes) -> bytes:
        file = getattr(sys.modules["__main__"], "__file__", None)
        main = os.path.abspath(file) if file else ""
        return encode_preamble(Preamble(list(sys.argv), main, trainable, self._reuse, interpreter_flags()), sys.path)

    def _replace(self, template: Template) -> None:
        """Have another template start what waits for this one."""
        threads = next(number for number, other in self._templates.items() if other is template)
        del self._templates[threads]
        waiting, template.waiting = template.waiting, {}
        for child, (sock, environ) in waiting.items():
            self.bear(child, sock, threads, environ)

    def _execute_instead(self, template: Template | Direct, obstacle: str) -> None:
        if not isinstance(template, Template):
            return
        if self._start == "fork":
            _log.warning(
                "trials start fresh interpreters, which takes longer than a fork: "
                "a process that has imported the trainable cannot be forked, since %s",
                obstacle,
            )
            self._start = "spawn"
        self._replace(template)
        template.bury()

    def _lost(self, template: Template | Direct) -> list[Any]:
        """Mourn a template: its processes died with it, what waits for it goes to another."""
        if not isinstance(template, Template):
            return []
        orphans = list(template.children)
        waiting, template.waiting = template.waiting, {}
        status = template.bury()
        template.waiting = waiting
        how = f"killed by {_signal_name(-status)}" if status < 0 else f"gone with code {status}"
        self._deaths += 1
        if self._deaths >= _DEATHS:
            self._templates = {n: other for n, other in self._templates.items() if other is not template}
            template.dismiss()
            raise LuthierError(
                f"no trial can be started: the process that loads the trainable was {how}, "
                f"{self._deaths} times in a row. What it printed stands above."
            )
        _log.warning("the process that trials are started from was %s; another one is started", how)
        self._replace(template)
        reason = f"the trial's process ended because the one that it was started from was {how}"
        return [orders.Stillborn(child, reason) for child in orphans]


def unloadable(traceback: str) -> LuthierError:
    """Return the error for a trainable that cannot be loaded in a fresh process."""
    return LuthierError(
        "the trainable cannot be loaded in a fresh process, where every trial begins. "
        f"Its modules must be importable from sys.path, as here. There:\n{traceback}"
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
