"""Whom processes try to reach over a network, as strace sees it: every call with an address, whatever becomes of it."""

from __future__ import annotations

import ipaddress
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

CALLS = "connect,sendto,sendmsg,sendmmsg"
DOMAIN = 53  # the port of name servers
# Within a machine: files, the kernel, and the end of a connection.
LOCAL = frozenset({"AF_UNIX", "AF_LOCAL", "AF_NETLINK", "AF_UNSPEC"})
MISSING = "strace is not there: make programs installs it (apt-get install strace)"
FORBIDDEN = (
    "strace may not trace here, so nothing can be said about who was contacted: allow ptrace (containers: "
    "--cap-add SYS_PTRACE; kernel.yama.ptrace_scope at most 1). It said: "
)
_FAMILY = re.compile(r"sa_family=(\w+)")
_ADDRESS = re.compile(
    r"sa_family=(?P<family>AF_INET6?), sin6?_port=htons\((?P<port>\d+)\)"
    r'[^}]*?(?:inet_addr\("(?P<four>[^"]+)"\)|inet_pton\(AF_INET6, "(?P<six>[^"]+)")'
)


class Contact(NamedTuple):
    """An address that was given to the kernel; what is of no known kind has no host, and its line says all."""

    line: str
    family: str
    host: str
    port: int

    @property
    def stays_here(self) -> bool:
        """Whether it is of this machine, and no question for a name either."""
        if self.family in LOCAL:
            return "systemd/resolve" not in self.line
        if not self.host:
            return False
        found = ipaddress.ip_address(self.host)
        mapped = getattr(found, "ipv4_mapped", None)
        return (mapped or found).is_loopback and self.port != DOMAIN


def contacts(text: str) -> list[Contact]:
    """Return all contacts in what strace wrote."""
    found = []
    for line in text.splitlines():
        known = list(_ADDRESS.finditer(line))
        found += [Contact(line, one["family"], one["four"] or one["six"], int(one["port"])) for one in known]
        others = [family for family in _FAMILY.findall(line) if family in LOCAL]
        found += [Contact(line, family, "", 0) for family in others]
        odd = len(_FAMILY.findall(line)) - len(known) - len(others)
        found += [Contact(line, "?", "", 0)] * odd
    return found


def traced(path: Path) -> list[str]:
    """Return what goes before a command whose contacts, and those of all that it starts, are to be written to *path*.

    Raises:
        AssertionError: strace is not there, or may not trace: then there is nothing to be proven here.
    """
    strace = shutil.which("strace")
    assert strace, MISSING
    tried = subprocess.run([strace, "-f", "-qq", "-e", "trace=connect", "true"], capture_output=True, check=False)
    assert tried.returncode == 0, FORBIDDEN + tried.stderr.decode(errors="replace")
    return [
        strace,
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-s",
        "0",
        "-e",
        f"trace={CALLS}",
        "-e",
        "signal=none",
        "-o",
        str(path),
    ]
