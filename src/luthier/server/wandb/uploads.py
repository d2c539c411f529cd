"""Files of runs: addresses to upload them to, which need no key but are good for a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from fastapi import HTTPException

from luthier.server.auth.caller import Role
from luthier.server.shelf import checked
from luthier.server.wandb.naming import find

if TYPE_CHECKING:
    from luthier.server.wandb.asked import Asked

MOST = 10_000  # files at once


class CreateRunFiles(msgspec.Struct):
    """Files that a run is about to upload."""

    run: str
    files: list[str]
    project: str | None = None


def create_files(asked: Asked, told: CreateRunFiles) -> dict[str, Any]:
    """Say where to upload files to."""
    now = time.time()
    with asked.reading() as connection:
        place = asked.project(connection, told.project, Role.WRITE)
        found = find(connection, place, told.run)
    if found is None or len(told.files) > MOST:
        raise HTTPException(404, "Not Found")
    addresses = []
    for name in told.files:
        token = asked.desk.signer.token({"run": found.row.id, "path": checked(name)}, now)
        addresses.append({"name": name, "uploadUrl": f"{asked.base}/wandb/uploads/{quote(token)}"})
    return {"createRunFiles": {"runID": found.row.id, "uploadHeaders": [], "files": addresses}}
