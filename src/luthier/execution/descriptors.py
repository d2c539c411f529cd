"""Descriptors: 0, 1 and 2, which belong to input, output and errors even where nobody has opened them; how many."""

from __future__ import annotations

import math
import os


def hold_standard_descriptors() -> None:
    """Open those of the descriptors 0, 1 and 2 that are closed on the null device.

    Otherwise the next file to be opened gets such a number (a log, a socket), and what a C library or a child process
    prints goes into it.

    >>> hold_standard_descriptors()
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened == number:
                os.set_inheritable(number, True)  # noqa: FBT003 (takes no keyword)
            else:  # another thread was quicker
                os.close(opened)


def most_files() -> float:
    """Return how many files this process may have open.

    >>> most_files() > 3
    True
    """
    try:
        import resource
    except ImportError:  # Windows
        return math.inf
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return math.inf if limit == resource.RLIM_INFINITY else limit
