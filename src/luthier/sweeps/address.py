"""Where a server is, and which of its sweeps is meant."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from luthier.core.errors import BadArgument

DEFAULT_PORT = 8017
DEFAULT = f"http://127.0.0.1:{DEFAULT_PORT}"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def server_address(server: str | None = None) -> str:
    """Return the server's URL: *server*, else ``LUTHIER_SERVER``, else this machine's own.

    Raises:
        BadArgument: it is no URL of a server.

    >>> server_address("example.org:8017/")
    'http://example.org:8017'
    """
    given = server or os.environ.get("LUTHIER_SERVER") or DEFAULT
    name = "server" if server else "LUTHIER_SERVER"
    wanted = f"a URL such as {DEFAULT}"
    if not isinstance(given, str):
        raise BadArgument(name, given, wanted)
    text = given.strip()
    text = (text if "://" in text else f"http://{text}").rstrip("/")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise BadArgument(name, given, wanted, str(error)) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise BadArgument(name, given, wanted)
    if parts.username or parts.password:
        raise BadArgument(name, f"{parts.scheme}://...@{parts.hostname}", "the key with luthier login", "it has a key")
    return text


def is_loopback(server: str) -> bool:
    """Return whether *server* is on this machine.

    >>> is_loopback("http://[::1]:8017"), is_loopback("http://example.org")
    (True, False)
    """
    return (urlsplit(server).hostname or "") in _LOOPBACK


def sweep_address(sweep: str, server: str | None = None) -> tuple[str, str | None]:
    """Return the id of *sweep*, and the server if it is given or *sweep* is the URL of its page.

    Raises:
        BadArgument: it is neither an id, nor ``project/id``, nor a URL.

    >>> sweep_address("http://host:8017/projects/digits/sweeps/fm923t32")
    ('fm923t32', 'http://host:8017')
    >>> sweep_address("me/digits/fm923t32")
    ('fm923t32', None)
    """
    if not isinstance(sweep, str):
        raise BadArgument("sweep", sweep, "the id that luthier.sweep returned, or the URL of its page")
    text = sweep.strip().rstrip("/")
    if "://" in text:
        parts = urlsplit(text)
        server = server or f"{parts.scheme}://{parts.netloc}"
        text = parts.path
    found = text.rpartition("/")[2]
    if not _ID.fullmatch(found):
        raise BadArgument("sweep", sweep, "the id that luthier.sweep returned, or the URL of its page")
    return found, server
