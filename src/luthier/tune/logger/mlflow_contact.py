"""The first contact with MLflow, which makes the tables of a new SQLite database: by one process at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from typing import TYPE_CHECKING, Any

from luthier.tune.logger.mlflow_words import passes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before MLflow is asked again


def contact(uri: str | None, registry_uri: str | None = None, pauses: Sequence[float] = PAUSES) -> Any:
    """Return an ``MlflowClient`` that has been answered; asked again after *pauses* where it is not to be reached.

    Two processes that make the tables of one database at the same time leave it unusable, so they take turns.

    Args:
        uri: where MLflow keeps runs; its own default where None.
        registry_uri: where it keeps models.
        pauses: seconds before each further try.

    Raises:
        Exception: what MLflow raised last.
    """
    from mlflow import MlflowClient, get_tracking_uri

    for pause in (*pauses, None):
        try:
            with alone(uri or get_tracking_uri()):
                client = MlflowClient(uri, registry_uri)
                client.search_experiments(max_results=1)
                return client
        except Exception as error:
            if pause is None or not passes(error):
                raise
            time.sleep(pause)
    return None


@contextlib.contextmanager
def alone(uri: str) -> Iterator[None]:
    """Keep other processes of this machine and user, and threads of this one, out while a database is being made.

    >>> with alone("http://localhost:5000"):  # a server sees to that itself
    ...     pass
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    if not uri.startswith("sqlite"):
        yield
        return
    name = hashlib.sha256(uri.encode("utf-8", "backslashreplace")).hexdigest()[:20]
    path = os.path.join(tempfile.gettempdir(), f"luthier-mlflow-{os.getuid()}-{name}.lock")
    with open(path, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
