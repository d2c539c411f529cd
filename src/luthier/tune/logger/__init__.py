"""Loggers: callbacks that take down what trials report, at Ray Tune's public paths."""

from __future__ import annotations

from luthier.tune.logger.csv import CSVLoggerCallback
from luthier.tune.logger.json import JsonLoggerCallback
from luthier.tune.logger.logger import LoggerCallback, pretty_print
from luthier.tune.logger.loggers import LegacyLoggerCallback
from luthier.tune.logger.old import DEFAULT_LOGGERS, CSVLogger, JsonLogger, Logger, NoopLogger, TBXLogger
from luthier.tune.logger.tensorboardx import TBXLoggerCallback

__all__ = [
    "DEFAULT_LOGGERS",
    "CSVLogger",
    "CSVLoggerCallback",
    "JsonLogger",
    "JsonLoggerCallback",
    "LegacyLoggerCallback",
    "Logger",
    "LoggerCallback",
    "NoopLogger",
    "TBXLogger",
    "TBXLoggerCallback",
    "pretty_print",
]
