"""The directory of a trial."""

from __future__ import annotations

import os

from luthier.core.errors import StoreFailed


def make_trial_dir(experiment_dir: str | os.PathLike[str], folder: str) -> str:
    """Make the directory *folder* of a trial inside the experiment's and return its path; it may be there already.

    Raises:
        StoreFailed: it cannot be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     os.path.isdir(make_trial_dir(directory, "f_t_00000"))
    True
    """
    path = os.path.join(experiment_dir, folder)
    try:
        os.mkdir(path)
    except FileExistsError:
        pass
    except FileNotFoundError:
        _make_all(path)
    except OSError as error:
        raise _refused(path, error) from error
    return path


def _make_all(path: str) -> None:
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: str, error: OSError) -> StoreFailed:
    return StoreFailed(
        f"the trial directory {path} cannot be made: {error.strerror}. Give a storage path that you may write to and "
        "that has room."
    )
