"""Progress as a table in a terminal, or wherever lines go."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from luthier.tune.progress_reporter.table_reporter import TableReporter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.tune.trial import Trial


class CLIReporter(TableReporter):
    """Prints a table of trials every few seconds, and a last one with all of them.

    The arguments are those of :class:`TableReporter`.

    >>> reporter = CLIReporter(metric_columns={"loss/valid": "loss"}, parameter_columns=["lr"], max_progress_rows=5)
    >>> reporter.add_metric_column("accuracy", "acc")
    """

    def report(self, trials: Sequence[Trial], done: bool, *sys_info: str) -> None:
        """Print what there is to say; nothing at all with ``verbose=0``."""
        if self.verbose:
            self._print(self.text(trials, done, *sys_info))

    def text(self, trials: Sequence[Trial], done: bool, *sys_info: str) -> str:
        """Return what is printed."""
        parts = ["== Status ==", *self.head(trials, *sys_info)]
        table = self.table(trials, done)
        if table is not None:
            parts += [table.text, *filter(None, [table.more])]
        failed, errors = self.errors(trials, done)
        if failed:
            parts += [f"Number of errored trials: {failed}", errors.text]
        return "\n".join(parts) + "\n"

    def _print(self, msg: str) -> None:
        try:
            sys.stdout.write(f"{msg}\n")
        except UnicodeEncodeError:
            encoding = getattr(sys.stdout, "encoding", None) or "ascii"
            sys.stdout.write(f"{msg}\n".encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()
