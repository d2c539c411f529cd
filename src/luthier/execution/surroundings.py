"""What a driver has around it, and its trials are to have, too."""

from __future__ import annotations

import os
import sys

import msgspec


class Surroundings(msgspec.Struct, frozen=True):
    """Where code is found, and what a script may ask about itself.

    Attributes:
        argv: the driver's ``sys.argv``.
        main: file of the driver's ``__main__``; empty where it has none.
        path: where modules are searched for.
        cwd: the working directory; empty for that of the process that starts trials.
        without: variables in the environment of that process which are not for trials.
    """

    argv: list[str]
    main: str
    path: list[str]
    cwd: str = ""
    without: frozenset[str] = frozenset()

    @classmethod
    def here(cls) -> Surroundings:
        """Return those of this process."""
        file = getattr(sys.modules["__main__"], "__file__", None)
        path = [entry for entry in sys.path if isinstance(entry, str)]
        return cls(list(sys.argv), os.path.abspath(file) if file else "", path)

    def to_travel(self) -> Surroundings:
        """Return them so that they mean the same in another process."""
        return msgspec.structs.replace(self, path=[os.path.abspath(entry) for entry in self.path], cwd=os.getcwd())

    def arrived(self) -> Surroundings:
        """Return what of them there is on this machine; modules are searched for where this process does, first.

        >>> elsewhere = Surroundings(["train.py"], "/code/train.py", ["/code"], "/not/here")
        >>> elsewhere.arrived().path[-1], elsewhere.arrived().cwd
        ('/code', '')
        """
        known = [entry for entry in sys.path if isinstance(entry, str)]
        path = known + [entry for entry in self.path if entry not in known]
        return msgspec.structs.replace(self, path=path, cwd=self.cwd if os.path.isdir(self.cwd) else "")
