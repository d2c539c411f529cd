"""Files that must not stop an experiment: what cannot be written now is kept, told once, and tried again."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger("luthier")
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
_REPLACE = os.O_WRONLY | os.O_TRUNC | os.O_CREAT | getattr(os, "O_BINARY", 0)


def append(path: str, text: bytes, *, fresh: bool = False) -> tuple[bytes, OSError | None]:
    """Append *text* to the file at *path* (to an empty one where *fresh*) and return what did not get in, and why."""
    try:
        fd = os.open(path, _REPLACE if fresh else _APPEND, 0o644)
    except FileNotFoundError:
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            fd = os.open(path, _APPEND, 0o644)
        except OSError as error:
            return text, error
    except OSError as error:
        return text, error
    written = 0
    try:
        while written < len(text):
            written += os.write(fd, text[written:] if written else text)
        return b"", None
    except OSError as error:
        return text[written:], error
    finally:
        os.close(fd)


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """Give a file to write; it takes the place of *path* at the end: who reads meanwhile finds the old file.

    Raises:
        OSError: it cannot be written; the old file is still there.
    """
    new = f"{path}.new"
    try:
        with os.fdopen(os.open(new, _REPLACE, 0o644), "wb") as file:
            yield file
        os.replace(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise


class Complaints:
    """Tells through the logger ``luthier`` what cannot be written: once per spell, however many files it hits."""

    def __init__(self) -> None:
        self._open = False

    def failed(self, path: str, error: OSError) -> None:
        """Tell that *path* cannot be written, unless something else was told to be so since the last success."""
        if not self._open:
            self._open = True
            _log.error(
                "%s cannot be written: %s. The experiment goes on; its log is not affected. What is missing in this "
                "and other result files is written once that is possible again.",
                path, error.strerror or error,
            )  # fmt: skip

    def mended(self) -> None:
        """Tell that all is written that was held back."""
        if self._open:
            self._open = False
            _log.warning("the result files can be written again, and are complete")

    def given_up(self, directory: str, count: int) -> None:
        """Tell that files stay behind the log."""
        _log.error(
            "the result files of %d trials in %s lack some rows, as they could not be written; the log has them all, "
            "and the files are made anew when the experiment is restored",
            count, directory,
        )  # fmt: skip
