"""The Ray cluster: the connection to it, and the nodes that it has."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from luthier.core.errors import BadArgument, LuthierError
from luthier.execution.keywords import check_keywords

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULTS = {"include_dashboard": False, "log_to_driver": False}  # what trials print is in their directories
_FORGET = "Ray takes it for a cluster of this machine: `ray stop` forgets it, and address='local' is a new one. "
_REACH = 5.0  # seconds to reach a cluster's head
_NAMES = {"CPU": "cpu", "GPU": "gpu"}
_OURS: dict[str, WeakSet[Cluster]] = {}  # connections that were made here, by job, and who uses them


class Cluster:
    """A connection to a Ray cluster: the one that the process has, or one of its own.

    Without an ``address`` in *options* it is Ray that decides: ``$RAY_ADDRESS``, a cluster that runs on this machine,
    or else a new one, which ends with the connection.

    Args:
        options: arguments of ``ray.init``, used where the process is not connected yet.

    Raises:
        LuthierError: Ray is not installed, or cannot be connected to.
        BadArgument: the address is that of a Ray Client server, or ``ray.init`` has no such argument.
    """

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self.ray = ray_library()
        given = dict(options or {})
        address = str(given.get("address") or os.environ.get("RAY_ADDRESS") or "")
        if address.startswith("ray://") or self.ray.util.client.ray.is_connected():
            raise BadArgument(
                "address",
                address or "a connection of Ray Client",
                "an address within the cluster, e.g. 'auto' on one of its nodes, or a job submitted to it",
                "by Ray Client every call goes through a proxy, which has no way to wake who waits for a report, and a "
                "lost connection ends all trials",
            )
        if not self.ray.is_initialized():
            check_keywords(given, self.ray.init)
            check_reachable(address)
            if not address:
                check_reachable(_remembered(given), _FORGET)
            try:
                self.ray.init(**{**_DEFAULTS, **given})
            except (ConnectionError, RuntimeError, ValueError, TypeError, OSError) as error:
                raise LuthierError(f"no connection to a Ray cluster ({address or 'a local one'}): {error}") from error
            _OURS[self._job] = WeakSet()
        if self._job in _OURS:
            _OURS[self._job].add(self)

    @property
    def _job(self) -> str:
        return str(self.ray.get_runtime_context().get_job_id())

    def nodes(self) -> dict[str, dict[str, float]]:
        """Return what each living node has, by its id; internal resources are left out."""
        alive = [node for node in self.ray.nodes() if node["Alive"]]
        return {node["NodeID"]: offered(node["Resources"]) for node in alive}

    def close(self) -> None:
        """Disconnect if the connection was made here and nobody else uses it; a cluster that came with it ends."""
        users = _OURS.get(self._job) if self.ray.is_initialized() else None
        if users is not None and self in users:
            users.discard(self)
            if not users:
                del _OURS[self._job]
                self.ray.shutdown()


def _remembered(given: Mapping[str, Any]) -> str:
    """Return the address of the cluster that was last started here by ``ray start``; it may be gone."""
    with contextlib.suppress(Exception):  # Ray keeps this to itself, and may keep it elsewhere one day
        from ray._private.utils import read_ray_address

        return read_ray_address(given.get("_temp_dir")) or ""
    return ""


def check_reachable(address: str, hint: str = "") -> None:
    """Find out whether somebody listens at *address*; Ray itself takes minutes to say that nobody does.

    Raises:
        LuthierError: nobody does.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():  # "auto", "local": Ray looks for itself
        return
    host = host.strip("[]")
    hosts = [host]
    if host in ("localhost", "127.0.0.1", "::1"):  # Ray takes the machine's own address for these
        from ray.util import get_node_ip_address

        hosts.append(get_node_ip_address())
    problem: Exception | None = None
    for name in hosts:
        try:
            socket.create_connection((name, int(port)), _REACH).close()
        except (OSError, OverflowError) as error:  # a port beyond 65535, too
            problem = error
        else:
            return
    raise LuthierError(
        f"no connection to a Ray cluster ({address}): {problem}. {hint}Is a head node there (ray start --head), and "
        "can this machine reach that port?"
    ) from problem


def ray_library() -> Any:
    """Return the module ``ray``.

    Raises:
        LuthierError: it is not installed.
    """
    try:
        import ray
        import ray.util.client
    except ImportError as error:
        raise LuthierError('executor="ray" needs Ray: pip install "luthier[ray]"') from error
    return ray


def offered(resources: Mapping[str, float]) -> dict[str, float]:
    """Return what a node offers to trials, under the names that requests use.

    >>> offered({"CPU": 2.0, "node:10.0.0.1": 1.0, "object_store_memory": 8e7, "licence": 1.0})
    {'cpu': 2.0, 'licence': 1.0}
    """
    inner = ("node:", "object_store_memory", "bundle_group_", "_group_")
    return {
        _NAMES.get(name, name): float(amount)
        for name, amount in resources.items()
        if not name.startswith(inner) and "_group_" not in name
    }


def options_of(resources: Mapping[str, float]) -> dict[str, Any]:
    """Return *resources* as options of an actor.

    >>> options_of({"cpu": 1.0, "gpu": 0.5, "licence": 1.0})
    {'num_cpus': 1.0, 'num_gpus': 0.5, 'resources': {'licence': 1.0}}
    """
    custom = {name: amount for name, amount in resources.items() if name not in ("cpu", "gpu", "memory")}
    options: dict[str, Any] = {"num_cpus": resources.get("cpu", 0.0), "num_gpus": resources.get("gpu", 0.0)}
    if resources.get("memory"):
        options["memory"] = int(resources["memory"])
    return {**options, "resources": custom}
