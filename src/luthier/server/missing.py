"""What is asked for and is not there, or cannot be answered."""

from __future__ import annotations

from luthier.core.errors import LuthierError


class NotThere(LuthierError, LookupError):
    """There is no such thing on this server.

    >>> str(NotThere("sweep", "abc"))
    "There is no sweep 'abc' here."
    """

    def __init__(self, what: str, name: str) -> None:
        self.what, self.name = what, name
        super().__init__(f"There is no {what} {name[:100]!r} here.")

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.what, self.name)
