"""How many threads linear algebra may use: for matrices as small as ours one is the quickest.

Several wait for each other after each of a thousand small products.  On a machine whose cores are busy with trials that
took forty times the CPU of one thread.
"""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def _libraries() -> Any:
    """Return what can limit the libraries that numpy and scipy brought; None where threadpoolctl is not installed."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    import scipy.linalg  # noqa: F401 (what is not loaded yet is not seen)

    return ThreadpoolController()


class OneThread:
    """A context in which linear algebra uses one thread; after it, as many as before.

    >>> import numpy as np
    >>> with OneThread():
    ...     x = np.eye(2) @ np.ones(2)
    """

    def __enter__(self) -> None:
        libraries = _libraries()
        self._limit = None if libraries is None else libraries.limit(limits=1, user_api="blas")

    def __exit__(self, *raised: object) -> None:
        if self._limit is not None:
            self._limit.restore_original_limits()
