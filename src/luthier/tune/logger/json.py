"""The name of what writes ``result.json``."""

from __future__ import annotations

from luthier.tune.logger.logger import LoggerCallback


class JsonLoggerCallback(LoggerCallback):
    """Accepted so that scripts run: every experiment writes ``result.json`` and ``params.json``, told to or not.

    >>> callbacks = [JsonLoggerCallback()]
    """
