"""A cluster on this machine that grows by itself, as far as Ray's autoscaler decides."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import ray

from tests.crash.storm import marked, send
from tests.execution.ray.conftest import STORE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = "from ray.scripts.scripts import main; main()"
HEAD = "ray.head.default"


@contextlib.contextmanager
def growing(folder: Path, *, most: int, idle_minutes: float) -> Iterator[str]:
    """Run a head without CPUs, to which up to *most* nodes of one CPU come as they are asked for; yield its address.

    It is the older of Ray's two autoscalers: the newer one's fake provider wants a file that wheels of Ray lack.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"{ray.util.get_node_ip_address()}:{port}"
    empty_lists = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")
    worker = {"CPU": 1, "object_store_memory": STORE}
    config = {
        "cluster_name": "growing",
        "provider": {"type": "fake_multinode", "gcs_address": address, "launch_multiple": True},
        "max_workers": most,
        "head_node_type": HEAD,
        "available_node_types": {
            HEAD: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "worker": {"resources": worker, "node_config": {}, "min_workers": 0, "max_workers": most},
        },
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": idle_minutes,
        **{name: {} for name in ("auth", "docker", "file_mounts")},
        **{name: [] for name in ("cluster_synced_files", "rsync_exclude", "rsync_filter")},
        **{f"{name}_commands": [] for name in empty_lists},
        "file_mounts_sync_continuously": False,
    }
    own = tempfile.mkdtemp(prefix="ray_")  # a short path, for sockets; and the user's own cluster stays the known one
    file = folder / "autoscaling.json"
    file.write_text(json.dumps(config))
    command = [
        *("start", "--head", "--block", f"--port={port}", f"--autoscaling-config={file}", "--num-cpus=0"),
        *("--include-dashboard=false", f"--object-store-memory={STORE}", "--disable-usage-stats", f"--temp-dir={own}"),
    ]
    fake = {"AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1", "RAY_AUTH_MODE": "disabled"}
    environment = {**os.environ, **fake, "GROWING": address}
    with (folder / "ray_start.txt").open("w") as said:
        command[:0] = [sys.executable, "-c", START]
        head = subprocess.Popen(command, env=environment, stdout=said, stderr=said, process_group=0)
    try:
        yield address
    finally:
        head.send_signal(signal.SIGTERM)
        head.wait(60)
        send(signal.SIGKILL, *marked(f"GROWING={address}"))  # the nodes that came
        shutil.rmtree(own, ignore_errors=True)
