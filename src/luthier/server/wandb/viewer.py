"""Who asks, and what this server can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from luthier.server.wandb.asked import Asked

FEATURES = ("SWEEPS_LOCAL_SCHEDULER",)


class Nothing(msgspec.Struct):
    """Variables that do not matter here."""


def viewer(asked: Asked, _told: Nothing) -> dict[str, Any]:
    """Say who asks."""
    entity = asked.desk.entity
    return {
        "viewer": {
            "id": asked.caller.key_id or asked.by,
            "entity": entity,
            "username": asked.by,
            "name": asked.by,
            "email": "",
            "admin": False,
            "flags": "{}",
            "deletedAt": None,
            "apiKeys": {"edges": []},
            "teams": {"edges": [{"node": {"name": entity}}]},
        }
    }


def features(_asked: Asked, _told: Nothing) -> dict[str, Any]:
    """Say what of W&B's server is here."""
    return {"serverInfo": {"features": [{"name": name, "isEnabled": True} for name in FEATURES]}}


def organization(_asked: Asked, _told: Nothing) -> dict[str, Any]:
    """Say that there are no organizations."""
    return {"entity": {"organization": None}}
