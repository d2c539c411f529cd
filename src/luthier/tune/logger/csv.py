"""The name of what writes ``progress.csv``."""

from __future__ import annotations

from luthier.tune.logger.logger import LoggerCallback


class CSVLoggerCallback(LoggerCallback):
    """Accepted so that scripts run: every experiment writes ``progress.csv``, told to or not.

    >>> callbacks = [CSVLoggerCallback()]
    """
