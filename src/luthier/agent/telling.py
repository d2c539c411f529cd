"""What an agent shows to people: a line for whatever happens."""

from __future__ import annotations

import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luthier.agent.ended import Ended
    from luthier.agent.job import Job

_MOST = 6  # values in a line
_LONGEST = 40
_WORDS = {"finished": "finished", "failed": "FAILED", "halted": "halted", "left": "given back"}
_COLOURS = {"finished": "32", "failed": "31", "halted": "33", "left": "33", "note": "33"}


class Telling:
    """Writes to a stream, in colour where that is a terminal; any thread may.

    Args:
        stream: where to; standard error where None.
        quiet: whether only what is wrong is told.
    """

    def __init__(self, stream: IO[str] | None = None, *, quiet: bool = False) -> None:
        self._stream, self._quiet = stream or sys.stderr, quiet
        self._colour = bool(getattr(self._stream, "isatty", lambda: False)())
        self._lock = threading.Lock()

    def registered(self, sweep: Mapping[str, Any], server: str) -> None:
        """The server has taken the agent on."""
        name = sweep.get("name") or sweep["id"]
        known = f"{name} ({sweep['id']})" if name != sweep["id"] else name
        self._say(f"sweep {known} at {server}: {sweep.get('state', '')}".rstrip(": "))

    def started(self, job: Job) -> None:
        """A run begins."""
        again = f", attempt {job.order.attempt}" if job.order.attempt > 1 else ""
        given = f": {_shown(job.order.params)}" if job.order.params else ""
        self._say(f"{_name(job)} starts{again}{given}")

    def finished(self, job: Job) -> None:
        """A run has ended."""
        metrics = {k: v for k, v in job.outbox.last.items() if not k.startswith("_") and isinstance(v, int | float)}
        seconds = time.monotonic() - job.began
        end = f": {_shown(metrics)}" if metrics else ""
        self._say(f"{_name(job)} {_WORDS[job.outcome]} after {seconds:.1f} s{end}", job.outcome)
        if job.outcome == "failed":
            self._write("".join(f"    {text}\n" for text in job.error.splitlines()))

    def echo(self, run: str, lines: list[str]) -> None:
        """A run has printed something."""
        self._write("".join(f"run {run} | {text}\n" for text in lines))

    def printed(self, who: str, lines: list[str]) -> None:
        """An agent of W&B's, or what it runs, has printed something."""
        if not self._quiet:
            self._write("".join(f"{who} | {text}\n" for text in lines))

    def note(self, text: str) -> None:
        """Something is not as usual."""
        self._say(text, "note", loud=True)

    def leaving(self, reason: str) -> None:
        """The agent has heard that it is to leave, and ends its runs first."""
        self._say(f"{reason}: what runs here is ended and given back; once more, and the agent leaves at once", "note")

    def best(self, sweep: Mapping[str, Any], server: str) -> None:
        """What has come of the sweep so far, of all agents' runs."""
        counts = ", ".join(f"{count} {word}" for word, count in sorted((sweep.get("counts") or {}).items()))
        self._say(f"sweep {sweep.get('name') or sweep['id']} has {counts or 'no runs'}: {server}/sweeps/{sweep['id']}")
        run, config = sweep.get("best_run"), sweep.get("best_config")
        if run:
            given = f" with {_shown(config)}" if config else ""
            self._say(
                f"best so far: {run.get('name') or run['id']}, {sweep['metric']}={_value(sweep['best_value'])}{given}"
            )
        elif sweep.get("metric") and (sweep.get("counts") or {}).get("finished"):
            self.note(f"no run has reported {sweep['metric']}, the metric of the sweep: is that its name?")

    def ended(self, ended: Ended) -> None:
        """The agent leaves."""
        counts = ", ".join(f"{count} {_WORDS[word].lower()}" for word, count in sorted(ended.counts.items()))
        self._say(f"the agent leaves ({ended.reason or 'done'}): {counts or 'no runs'}", loud=bool(ended.code))

    def gone(self, ended: Ended) -> None:
        """Agents of W&B's have left, of whose runs nothing is known here."""
        count = sum(ended.counts.values())
        who = "1 agent of W&B's has" if count == 1 else f"{count} agents of W&B's have"
        self._say(f"{who} ended ({ended.reason or ('failed' if ended.code else 'done')})", loud=bool(ended.code))

    def _say(self, text: str, colour: str = "", *, loud: bool = False) -> None:
        if self._quiet and not loud:
            return
        at = time.strftime("%H:%M:%S")
        if self._colour and colour:
            text = f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"
        self._write(f"{at} {text}\n")

    def _write(self, text: str) -> None:
        with self._lock:
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):  # the terminal has gone
                pass


def _name(job: Job) -> str:
    return f"run {job.order.name or job.order.run}"


def _shown(values: Mapping[str, Any]) -> str:
    """Return values in a line, the first few of them."""
    shown = [f"{name}={_value(value)}" for name, value in list(values.items())[:_MOST]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _value(value: Any) -> str:
    text = f"{value:.5g}" if isinstance(value, float) else str(value)
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
