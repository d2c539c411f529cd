"""Manifests of artifacts: which files a version says that it has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from luthier.server.shelf import Shelf
from luthier.server.tables import files
from luthier.server.wandb.asked import Asked, Refused

if TYPE_CHECKING:
    from sqlalchemy import Connection

MANIFEST = "wandb_manifest.json"
LARGEST = 64 << 20  # bytes: some hundred thousand files
_SHOWN = 5


def check_whole(asked: Asked, connection: Connection, artifact: Any) -> None:
    """See whether all files have come that the manifest of the row *artifact* says that it brings.

    Raises:
        Refused: they have not, or there is no manifest that can be read.
    """
    before = f"artifacts/{artifact.id}/"
    query = sa.select(files.c.path, files.c.size, files.c.sha256).where(
        files.c.run_id == artifact.run_id, files.c.path.startswith(before, autoescape=True)
    )
    there = {row.path.removeprefix(before): row for row in connection.execute(query)}
    manifest = there.get(MANIFEST)
    if manifest is None:
        raise Refused("its manifest has not come")
    if manifest.size > LARGEST:
        raise Refused(f"its manifest has more than {LARGEST} bytes")
    lost, text = [], Shelf(asked.service.files).place(manifest.sha256).read_bytes()
    for name, size in _brought(text, {artifact.id, artifact.client_id}).items():
        found = there.get(name)
        if found is None or (size is not None and found.size != size):
            lost.append(name)
    if lost:
        more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
        raise Refused(f"of its files, these have not come: {', '.join(lost[:_SHOWN])}{more}")


def _brought(manifest: bytes, artifact: set[str]) -> dict[str, int | None]:
    """Return the files, and their sizes, that come with *artifact*, by either of its ids: not those of others."""
    try:
        contents = json.loads(manifest).get("contents", {})
        entries = contents.items() if isinstance(contents, dict) else ()
        ours = {name: entry for name, entry in entries if entry.get("birthArtifactID") in artifact}
    except (ValueError, AttributeError, RecursionError) as error:
        raise Refused("its manifest cannot be read") from error
    sizes = {name: entry.get("size") for name, entry in ours.items() if not entry.get("ref")}
    return {name: size if isinstance(size, int) else None for name, size in sizes.items()}
