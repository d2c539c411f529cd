"""Who looks at a page, as far as the page must know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from starlette.requests import Request

_WRITE = 2  # luthier.server.auth.caller.Role.WRITE


class Viewer(msgspec.Struct, frozen=True):
    """A reader.

    Attributes:
        writes: whether it may change anything; then pages have buttons.
        name: what its key is called; empty where there are none.
        session: whether it logged in, so that it can log out.
    """

    writes: bool
    name: str = ""
    session: bool = False


def viewer(request: Request, *, readonly: bool) -> Viewer:
    """Return who sent *request*; whoever checked its key has put the caller into ``request.state``."""
    caller = getattr(request.state, "caller", None)
    if caller is None:
        return Viewer(not readonly)
    return Viewer(not readonly and caller.role >= _WRITE, caller.name if caller.key_id else "", caller.session)
