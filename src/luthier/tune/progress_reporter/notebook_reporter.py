"""Progress as a table in a notebook, drawn anew in its place."""

from __future__ import annotations

from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

from luthier.callbacks.console import in_notebook
from luthier.callbacks.html import table_html
from luthier.callbacks.notebook import IPythonOutput, Output
from luthier.tune.progress_reporter.cli_reporter import CLIReporter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.tune.trial import Trial


class JupyterNotebookReporter(CLIReporter):
    """Shows a table of trials in a notebook's cell; prints it where there is no notebook.

    Args:
        overwrite: whether what the cell shows already is cleared at the first report.
        more: the arguments of :class:`~luthier.tune.progress_reporter.table_reporter.TableReporter`.

    >>> reporter = JupyterNotebookReporter(metric_columns=["loss"], overwrite=False)
    """

    def __init__(self, *, overwrite: bool = True, **more: Any) -> None:
        super().__init__(**more)
        self._overwrite = overwrite
        self._output: Output | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_output": None}

    def report(self, trials: Sequence[Trial], done: bool, *sys_info: str) -> None:
        """Show what there is to say in place of what was said before; nothing at all with ``verbose=0``."""
        if not in_notebook():
            super().report(trials, done, *sys_info)
        elif self.verbose:
            self.display(self.html(trials, done, *sys_info))
        if done:
            self._output = None  # another experiment has a place of its own

    def html(self, trials: Sequence[Trial], done: bool, *sys_info: str) -> str:
        """Return what is shown."""
        parts = [escape(line) for line in self.head(trials, *sys_info)]
        table = self.table(trials, done)
        if table is not None:
            parts += [table_html(table.heads, table.rows), escape(table.more)]
        failed, errors = self.errors(trials, done)
        if failed:
            parts += [f"<b>Number of errored trials: {failed}</b>", table_html(errors.heads, errors.rows)]
        return '<div class="luthier">' + "".join(f"<div>{part}</div>" for part in parts if part) + "</div>"

    def display(self, string: str) -> None:
        """Show *string*, HTML, in the cell."""
        if self._output is None:
            if self._overwrite:
                import_module("IPython.display").clear_output(wait=True)
            self._output = IPythonOutput()
        self._output.show(string)
