"""Where processes are born: one template for each number of threads, and what is done when that does not work."""

from __future__ import annotations

import logging
import math
import os
import signal
from typing import TYPE_CHECKING, Any, Literal

from luthier.core.errors import LuthierError
from luthier.execution.direct import Direct
from luthier.execution.environment import thread_environment
from luthier.execution.surroundings import Surroundings
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
ANSWER_S = 60.0  # for a template to do what it was told, which takes milliseconds
LOADING_S = 60.0  # after which it is said that loading the trainable takes its time, and where it stands
_TELL_AGAIN = 4  # times as long
_WHERE_S = 0.5  # for a process to write where it stands


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
        patience: seconds that a template may take to load the trainable.
        surroundings: what processes are to have around them; what this one has where None.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        trainable: bytes,
        start: Start,
        environ: Mapping[str, str],
        *,
        reuse: bool,
        patience: float = math.inf,
        surroundings: Surroundings | None = None,
    ) -> None:
        self._given = surroundings
        self._selector, self._trainable, self._start, self._reuse = selector, trainable, start, reuse
        self._environ = environ
        self._templates: dict[int, Template | Direct] = {}
        self._home: dict[int, Template | Direct] = {}  # by child
        self._deaths = 0
        self._patience = patience
        self._tell: dict[Template, float] = {}  # when it is said next that it loads

    @property
    def watchful(self) -> bool:
        """Whether a template owes an answer, so that :meth:`watch` is to be called every second."""
        return any(isinstance(template, Template) and template.owes for template in self._templates.values())

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
        if messages is None:
            return self._lost(template)
        news: list[Any] = []
        for message in messages:
            match message:
                case orders.Failed(traceback):
                    raise unloadable(traceback)
                case orders.Ready(obstacle):
                    if obstacle:
                        self._execute_instead(template, obstacle)
                    continue
                case orders.Heard():
                    continue
                case orders.Born():
                    self._deaths = 0
                case orders.Died(child) | orders.Stillborn(child):
                    self._home.pop(child, None)
            news.append(message)
        return news

    def watch(self, now: float) -> list[Any]:
        """Look after templates that owe an answer; return the ``Stillborn`` of those that were given up.

        Whatever they have said must have been heard before.

        Args:
            now: monotonic seconds.

        Raises:
            LuthierError: the trainable takes too long to load, or templates keep dying.
        """
        news: list[Any] = []
        for template in list(self._templates.values()):
            if not isinstance(template, Template) or not template.owes:
                continue
            waited = template.vigil.look(now)
            if waited >= ANSWER_S if template.ready else self._loads(template, waited):
                how = f"killed, as it did not answer for {waited:.0f} s"
                if template.stopped:
                    how += " (somebody has stopped it by a signal)"
                template.kill()
                news += self._lost(template, how)
        return news

    def _loads(self, template: Template, waited: float) -> bool:
        """Say where a template stands that takes its time to load the trainable; return whether somebody stopped it."""
        tell = self._tell.setdefault(template, LOADING_S)
        if waited < min(tell, self._patience):
            return False
        if template.stopped:
            return True
        if template.mark < 0:
            template.ask_where()
        elif waited >= min(tell, self._patience) + _WHERE_S:
            stack = template.where()
            where = f"There it stands, the innermost call first:\n{stack}" if stack else "Where it stands is not known."
            if waited >= self._patience:
                template.kill()
                raise LuthierError(
                    f"no trial can be started: loading the trainable, with the modules that it imports, was not over "
                    f"after {self._patience:g} s (FailureConfig(start_timeout_s=...)). {where}"
                )
            self._tell[template] = tell * _TELL_AGAIN
            limit = "for ever" if self._patience == math.inf else f"for up to {self._patience:g} s"
            _log.warning(
                "loading the trainable, with the modules that it imports, is not over after %.0f s, and no trial can "
                "start before. It is waited for %s (FailureConfig(start_timeout_s=...)). %s",
                waited, limit, where,
            )  # fmt: skip
        return False

    def ask(self) -> list[Any]:
        """Return the news of those that no selector watches."""
        return [news for t in self._templates.values() if isinstance(t, Direct) for news in self.hear(t)]

    def close(self) -> None:
        """End all templates, and with them whatever they have started."""
        for template in self._templates.values():
            if isinstance(template, Template):
                if not template.ready:
                    template.kill()  # it hears nothing while it loads, and has no children yet
                template.dismiss()  # all at once first, so that they end side by side
        for template in self._templates.values():
            template.bury()
        self._templates.clear()
        self._home.clear()

    # -- templates ---------------------------------------------------------------------------------------------------
    def _found(self, threads: int) -> Template | Direct:
        without = self._surroundings.without
        around = {name: value for name, value in os.environ.items() if name not in without}
        environ = {**around, **thread_environment(threads, {**around, **self._environ}), **self._environ}
        if self._start == "direct":
            return Direct(environ, self._surroundings.cwd)
        forks = self._start == "fork"
        if forks:  # asking whether there is a GPU must not start CUDA in a process that is to be forked
            environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
        preamble = self._preamble(self._trainable if forks else b"")
        return Template(self._selector, preamble, environ, forks=forks, cwd=self._surroundings.cwd)

    @property
    def _surroundings(self) -> Surroundings:
        return self._given or Surroundings.here()

    def _preamble(self, trainable: bytes) -> bytes:
        around = self._surroundings
        preamble = Preamble(around.argv, around.main, trainable, self._reuse, interpreter_flags())
        return encode_preamble(preamble, around.path)

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
        self._tell.pop(template, None)
        self._replace(template)
        template.bury()

    def _lost(self, template: Template | Direct, how: str = "") -> list[Any]:
        """Mourn a template: its processes died with it, what waits for it goes to another.

        Args:
            template: the one that is gone.
            how: why that is, if it was our doing: its trials are lost then, and have not failed.
        """
        if not isinstance(template, Template):
            return []
        orphans = list(template.children)
        for child in orphans:
            self._home.pop(child, None)
        waiting, template.waiting = template.waiting, {}
        status = template.bury()
        template.waiting = waiting
        lost, self._deaths = bool(how), self._deaths + 1
        self._tell.pop(template, None)
        if not how:
            how = f"killed by {_signal_name(-status)}" if status < 0 else f"gone with code {status}"
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
        return [orders.Stillborn(child, reason, lost) for child in orphans]


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
