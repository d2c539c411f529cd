"""Waiting for a GPU that another process is still letting go of."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import NamedTuple

from luthier.core.errors import BadArgument, LuthierError


class GpuUse(NamedTuple):
    """How much of a GPU is in use.

    Attributes:
        number: its number, as text.
        uuid: its id.
        used: share of its memory, from 0 to 1.
    """

    number: str
    uuid: str
    used: float


def wait_for_gpu(
    gpu_id: int | str | None = None,
    target_util: float = 0.01,
    retry: int = 20,
    delay_s: float = 5,
    gpu_memory_limit: float | None = None,
) -> bool:
    """Wait until hardly anything of a GPU's memory is in use, and return True.

    Args:
        gpu_id: its number or id; the first of ``$CUDA_VISIBLE_DEVICES`` where None.
        target_util: share of its memory that may be in use.
        retry: how often to look.
        delay_s: seconds between two looks.
        gpu_memory_limit: the older name of *target_util*.

    Raises:
        BadArgument: there is no such GPU.
        LuthierError: it is still in use, or nobody can say (``nvidia-smi`` is missing).
    """
    target = target_util if gpu_memory_limit is None else gpu_memory_limit
    if gpu_id is None:
        gpu_id = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0] or "0"
    wanted, used = str(gpu_id), 0.0
    for attempt in range(max(1, int(retry))):
        if attempt:
            time.sleep(delay_s)
        gpus = gpu_uses()
        mine = next((gpu for gpu in gpus if wanted in (gpu.number, gpu.uuid)), None)
        if mine is None:
            there = ", ".join(gpu.number for gpu in gpus) or "none"
            raise BadArgument("gpu_id", gpu_id, "a GPU of this machine", f"there are: {there}")
        used = mine.used
        if used <= target:
            return True
    msg = f"GPU {wanted} is still in use after {retry} looks: {used:.0%} of its memory, more than {target:.0%}"
    raise LuthierError(msg)


def gpu_uses() -> list[GpuUse]:
    """Return how much of each GPU of this machine is in use, as ``nvidia-smi`` says.

    Raises:
        LuthierError: there is no ``nvidia-smi``, or it fails.
    """
    command = shutil.which("nvidia-smi")
    if command is None:
        msg = "wait_for_gpu needs nvidia-smi, which comes with NVIDIA's driver: there is none on this machine"
        raise LuthierError(msg)
    asked = [command, "--query-gpu=index,uuid,memory.used,memory.total", "--format=csv,noheader,nounits"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        msg = f"nvidia-smi failed: {(done.stderr or done.stdout).strip()[:300]}"
        raise LuthierError(msg)
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.strip()]
    return [GpuUse(number, uuid, float(used) / float(total)) for number, uuid, used, total in rows]
