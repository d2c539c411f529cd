"""What all runs of an agent share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from luthier.agent.gpus import Gpus
    from luthier.agent.uploads import Uploads
    from luthier.sweeps.client import Client


@dataclass(frozen=True)
class Place:
    """Where an agent's runs are at work.

    Attributes:
        client: the way to the server.
        sweep: what the server has said of the sweep.
        workdir: where programs run.
        folder: where each run has a directory of its own.
        sockets: a directory with a short name.
        gpus: which there are.
        uploads: brings checkpoints to the server.
        call: a file with a pickled function to call, instead of a program.
        ended: called by a run's thread when it has ended.
        leaving: whether the agent itself was told to end.
        echo: shows what a run prints; None where nobody wants to see it.
    """

    client: Client
    sweep: dict[str, Any]
    workdir: Path
    folder: Path
    sockets: Path
    gpus: Gpus
    uploads: Uploads
    call: Path | None
    ended: Callable[[], None]
    leaving: Callable[[], bool]
    echo: Callable[[str, list[str]], None] | None
