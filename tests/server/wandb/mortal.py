"""A server in a process of its own, that may be killed."""

from __future__ import annotations

import httpx

from tests.chaos.fleet import free_port, server
from tests.server.wandb.conftest import Place, wait_for


class Mortal:
    """A server that is killed, and comes back on the same port with the same database.

    Args:
        place: where its clients are.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        place.port = free_port()
        folder, database = place.directory, place.database
        self.member, place.url = server("server", folder, database, 300.0, "--auth", port=place.port)

    def back(self) -> None:
        self.member.start()
        wait_for(lambda: _answers(self.place), 60)

    def kill(self) -> None:
        assert self.member.here, self.member.said()
        self.member.kill()


def _answers(place: Place) -> bool:
    try:
        return place.post("/graphql", operationName="Viewer").is_success
    except httpx.TransportError:
        return False
