"""A small network of namespaces of this machine: a switch with the server on it, and one machine for each agent.

Nothing of the machine's own network is touched; a cut link loses packets silently, as a broken switch does.
"""

from __future__ import annotations

import os
import shutil
import subprocess

MISSING = (
    "Network namespaces cannot be made here ({why}): this test wants root (CAP_NET_ADMIN, CAP_SYS_ADMIN) and the "
    "program ip (iproute2).  Run `make chaos` as root, or in `sudo unshare -n`."
)


class Network:
    """A switch at 10.77.0.1, and machines 10.77.0.2 and on."""

    host = "10.77.0.1"

    def __init__(self, machines: int) -> None:
        self._hub = f"lu-{os.getpid()}-hub"
        self._names = [f"lu-{os.getpid()}-{i}" for i in range(machines)]

    def open(self) -> None:
        """Make it.

        Raises:
            RuntimeError: that is not possible here; the text says what is missing.
        """
        if shutil.which("ip") is None:
            raise RuntimeError(MISSING.format(why="ip is not installed"))
        done = subprocess.run(["ip", "netns", "add", self._hub], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(MISSING.format(why=done.stderr.strip()))
        try:
            _ip("-n", self._hub, "link", "set", "lo", "up")
            _ip("-n", self._hub, "link", "add", "switch", "type", "bridge")
            _ip("-n", self._hub, "addr", "add", f"{self.host}/24", "dev", "switch")
            _ip("-n", self._hub, "link", "set", "switch", "up")
            for i, name in enumerate(self._names):
                _ip("netns", "add", name)
                _ip("-n", name, "link", "set", "lo", "up")
                _ip("-n", self._hub, "link", "add", f"port{i}", "type", "veth", "peer", "name", "eth0", "netns", name)
                _ip("-n", name, "addr", "add", f"10.77.0.{i + 2}/24", "dev", "eth0")
                _ip("-n", name, "link", "set", "eth0", "up")
                _ip("-n", self._hub, "link", "set", f"port{i}", "up")
                self.mend(i)
        except BaseException:
            self.close()
            raise

    def cut(self, machine: int) -> None:
        """Cut the link of *machine*: what is sent gets lost, on both sides."""
        _ip("-n", self._hub, "link", "set", f"port{machine}", "nomaster")

    def mend(self, machine: int) -> None:
        """Mend it."""
        _ip("-n", self._hub, "link", "set", f"port{machine}", "master", "switch")

    @property
    def at_hub(self) -> list[str]:
        """What goes before a command that is to run at the switch."""
        return ["ip", "netns", "exec", self._hub]

    def at(self, machine: int) -> list[str]:
        """Return what goes before a command that is to run on *machine*."""
        return ["ip", "netns", "exec", self._names[machine]]

    def close(self) -> None:
        """Take it down; whoever is still in it keeps his namespace until he ends."""
        for name in (*self._names, self._hub):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def same(pid: int, other: int) -> bool:
    """Return whether two processes are on the same machine of the network."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net") == os.readlink(f"/proc/{other}/ns/net")
    except OSError:
        return False
