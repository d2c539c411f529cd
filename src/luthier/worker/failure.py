"""What a failed attempt leaves in its trial's directory."""

from __future__ import annotations

import contextlib
import pickle
import time
from pathlib import Path

from luthier.core.errors import LuthierError

TEXT_FILE = "error.txt"
PICKLE_FILE = "error.pkl"
_HEADING = "Failure # "


def record_failure(trial_dir: str, text: str, error: BaseException | None = None) -> None:
    """Append *text* to ``error.txt``, and write ``error.pkl``.

    The pickle holds *error* with *text* among its notes and without its traceback; a :class:`LuthierError` that says
    why stands in for what cannot be pickled, and for what is no exception of Python's (a process that died).
    A disk that cannot be written costs these files, nothing else.
    """
    with contextlib.suppress(OSError):
        _append(Path(trial_dir, TEXT_FILE), text)
    with contextlib.suppress(OSError):
        path = Path(trial_dir, PICKLE_FILE)
        draft = path.with_suffix(".tmp")
        draft.write_bytes(pickled(error, text))
        draft.replace(path)


def pickled(error: BaseException | None, text: str) -> bytes:
    """Return *error* as :func:`record_failure` pickles it."""
    import cloudpickle

    if error is None:
        return pickle.dumps(LuthierError(text))
    try:
        copy = pickle.loads(cloudpickle.dumps(error))
        if not isinstance(copy, BaseException):
            raise TypeError(f"it came back as {type(copy).__name__}")  # noqa: TRY301
        copy.add_note(text)
        return bytes(cloudpickle.dumps(copy))
    except (Exception, SystemExit) as problem:  # noqa: BLE001 (whatever the user's classes do)
        stand_in = LuthierError(
            f"{type(error).__name__}: {_shown(error)} (this stands in for the exception itself, which cannot be "
            f"pickled: {type(problem).__name__}: {_shown(problem)})"
        )
        stand_in.add_note(text)
        return pickle.dumps(stand_in)


def _shown(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 (a broken __str__)
        return "its text cannot be shown"


def _append(path: Path, text: str) -> None:
    try:
        before = path.read_text(encoding="utf-8", errors="replace").count(f"\n{_HEADING}") + 1
    except FileNotFoundError:
        before = 0
    at = time.strftime("%Y-%m-%d_%H-%M-%S")
    with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{chr(10) if before else ''}{_HEADING}{before + 1} (occurred at {at})\n{text.rstrip()}\n")
