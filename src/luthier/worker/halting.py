"""How a running trial is told to let go."""

from __future__ import annotations


class Halted(BaseException):
    """Raised by ``report`` in a trial that is to end.

    It is no ``Exception``, so that a trainable's ``except Exception`` lets it through while its ``finally`` blocks run.
    """
