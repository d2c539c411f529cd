"""Where a request comes from: headers that browsers set, and pages cannot forge."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

CSRF_HEADER = "x-luthier-csrf"


def is_loopback(host: str) -> bool:
    """Return whether *host* (a name or an address, without port) is this machine's own loopback.

    >>> is_loopback("localhost"), is_loopback("127.8.8.8"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str | None:
    """Return the host in a header ``Host``, without its port; None if that is no host.

    >>> host_of("127.0.0.1:8017"), host_of("[::1]:8017"), host_of("a/b"), host_of("")
    ('127.0.0.1', '::1', None, None)
    """
    try:
        parsed = urlsplit(f"//{header}")
        _ = parsed.port
    except ValueError:
        return None
    return parsed.hostname if parsed.netloc == header and "@" not in header and parsed.hostname else None


def from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Return whether a browser says that a page of another origin sent the request.

    What is no browser says nothing: then this is False.
    """
    origin = headers.get("origin")
    if origin is not None:
        return authority(origin) != _authority(headers.get("host", ""))
    return headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}


def from_our_pages(headers: Mapping[str, str]) -> bool:
    """Return whether one of our own pages sent the request; a form of another site could not have made it so.

    >>> from_our_pages({"origin": "https://tune.example.org", "host": "tune.example.org"})
    True
    >>> from_our_pages({"host": "tune.example.org"})
    False
    """
    if from_elsewhere(headers):
        return False
    return "origin" in headers or CSRF_HEADER in headers or headers.get("sec-fetch-site") == "same-origin"


def authority(origin: str) -> tuple[str, int | None] | None:
    """Return host and port of an ``Origin``; None for ``null`` and for what is none."""
    try:
        parsed = urlsplit(origin)
        port = parsed.port
    except ValueError:
        return None
    if parsed.scheme not in {"http", "https"} or not parsed.hostname:
        return None
    return parsed.hostname, None if port in {80, 443} else port


def _authority(host: str) -> tuple[str, int | None] | None:
    return authority(f"http://{host}") if host_of(host) else ("", -1)
