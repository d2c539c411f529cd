"""``luthier show --follow``: an experiment as it runs elsewhere, second by second."""

from __future__ import annotations

import time

from luthier.callbacks.console import Console
from luthier.callbacks.summary import summarize
from luthier.cli.opened import Opened, Refused
from luthier.core.errors import Conflict, CorruptLog, IllegalEvent, NewerFormat
from luthier.store.tail import Tail

EVERY_S = 1.0


def follow(opened: Opened) -> None:
    """Show how an experiment gets on until nobody runs it any more, or Ctrl-C.

    A terminal has a table that is drawn anew each second; anything else gets lines about what is new.  Each second
    only what was added to the log is read.

    Raises:
        Refused: the log cannot be read.
    """
    console = Console(started=opened.row.started)
    directory = opened.directory
    again: Opened | None = opened
    try:
        while again is not None:
            again = _followed(again, console)
    except KeyboardInterrupt:
        console.close()
    except (CorruptLog, IllegalEvent, NewerFormat, KeyError, OSError) as error:
        console.close()
        raise Refused(f"{directory} cannot be read: {type(error).__name__}: {error}") from error


def _followed(opened: Opened, console: Console) -> Opened | None:
    """Follow *opened* to its end; return the experiment opened anew where a part of its log was taken back."""
    tail = Tail(opened.directory, opened.row.events, unpickle=False)
    console.on_events((), opened.experiment)
    try:
        while True:
            opened.running = opened.is_running()  # first: what was written before it ended is read below
            for record in tail.look():
                opened.add(record)
                console.on_events(record.events, opened.experiment)
            console.on_tick(time.time())
            if not opened.running:
                break
            pause(EVERY_S)
    except Conflict:
        return Opened(opened.directory)
    interrupted = opened.state == "interrupted"
    where = str(opened.directory)
    console.finish(summarize(opened.experiment, elapsed=opened.elapsed, directory=where, interrupted=interrupted))
    return None


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)
