"""What older clients (before 0.26) ask about the schema before they ask for anything else: which fields there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from luthier.server.wandb.asked import Asked

# Of what these clients may go without, that which is here.
FIELDS = {
    "Project": ("internalId",),
    "Run": ("projectId",),
    "CreateArtifactInput": ("clientID", "sequenceClientID", "tags"),
    "CreateArtifactFileSpecInput": (),
}


# What their questions call the types; each asks for some.
_PROBED = {
    "ProjectType": "Project",
    "ProjectInfoType": "Project",
    "RunType": "Run",
    "ArtifactInfoType": "Artifact",
    "QueryType": "Query",
    "MutationType": "Mutation",
    "ServerInfoType": "ServerInfo",
    "ServerSettingsType": "ServerSettings",
    "CreateArtifactInputInfoType": "CreateArtifactInput",
    "CreateArtifactFileSpecInputInfoType": "CreateArtifactFileSpecInput",
    "UseArtifactInputInfoType": "UseArtifactInput",
}
PROBES = (
    "ProbeProjectInput",
    "ProbeRunInput",
    "ProbeServerArtifact",
    "ProbeServerCapabilities",
    "ProbeServerCreateArtifactFileSpecInput",
    "ProbeServerCreateArtifactInput",
    "ProbeServerProjectInfo",
    "ProbeServerSettings",
    "ProbeServerUseArtifactInput",
)


class Type(msgspec.Struct, rename="camel"):
    """A type by its name."""

    type_name: str = ""


def fields(_asked: Asked, told: Type) -> dict[str, Any]:
    """Say which fields of a type are here."""
    names = _named(told.type_name)
    return {"TypeInfo": {"name": told.type_name, "fields": names, "inputFields": names}}


def probe(_asked: Asked, _told: Type) -> dict[str, Any]:
    """Say which fields are here of what W&B's own servers have not always had."""
    return {name: {"fields": _named(of), "inputFields": _named(of)} for name, of in _PROBED.items()}


def _named(name: str) -> list[dict[str, str]]:
    return [{"name": field} for field in FIELDS.get(name, ())]
