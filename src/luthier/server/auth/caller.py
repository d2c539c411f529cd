"""Who calls, and what that one may do."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from luthier.core.errors import BadArgument


class Role(IntEnum):
    """What a key is for; each role may do what those below it may.

    >>> Role.of("write") > Role.READ
    True
    """

    READ = 1  # look at everything
    WRITE = 2  # run agents, make sweeps and stop them, delete runs
    ADMIN = 3  # make and revoke keys, delete projects, read the audit

    @classmethod
    def of(cls, word: str) -> Role:
        """Return the role called *word*.

        Raises:
            BadArgument: there is none of that name.
        """
        try:
            return cls[word.upper()]
        except KeyError:
            raise BadArgument("role", word, "'read', 'write' or 'admin'") from None

    @property
    def word(self) -> str:
        """What people call it."""
        return self.name.lower()


class Caller(msgspec.Struct, frozen=True):
    """Who made a request.

    Attributes:
        name: what its key is called.
        role: what it may do.
        project_id: the only project that it sees; None for all.
        key_id: the key; None where the server asks for none.
        session: whether it is a browser that logged in.
        expires_at: when that ends.
    """

    name: str
    role: Role
    project_id: int | None = None
    key_id: str | None = None
    session: bool = False
    expires_at: float | None = None

    def sees(self, project_id: int | None) -> bool:
        """Return whether *project_id* is one of its projects; None stands for what belongs to all of them.

        >>> Caller("ann", Role.READ, project_id=1).sees(2)
        False
        """
        return self.project_id is None or self.project_id == project_id


LOCAL = Caller("local", Role.ADMIN)
