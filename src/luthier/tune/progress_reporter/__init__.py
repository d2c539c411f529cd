"""Reporters of progress: tables in a terminal or a notebook, with columns of your choice, and a start for your own."""

from __future__ import annotations

from luthier.tune.progress_reporter.cli_reporter import CLIReporter
from luthier.tune.progress_reporter.notebook_reporter import JupyterNotebookReporter
from luthier.tune.progress_reporter.reporter import ProgressReporter
from luthier.tune.progress_reporter.table_reporter import TableReporter

TuneReporterBase = TableReporter  # its older name

__all__ = ["CLIReporter", "JupyterNotebookReporter", "ProgressReporter", "TableReporter", "TuneReporterBase"]
