"""``GET`` of all that pages show: nothing here changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from luthier.server.reading.figures import Figures
from luthier.server.reading.lineup import Lineups
from luthier.server.reading.pulse import Pulse
from luthier.server.reading.sight import Sight, visible
from luthier.server.routes.reading import projects, runs, sweeps

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa
    from fastapi.params import Depends

    from luthier.server.reading.sight import Visible

BASE = "/api/v1"


def router(
    database: sa.Engine,
    *,
    dependencies: Sequence[Depends] = (),
    visible: Visible = visible,
) -> APIRouter:
    """Return the routes below ``/api/v1`` that read.

    Args:
        database: the server's.
        dependencies: what each request passes first: who checks keys goes here.
        visible: says which projects a request may see; as its key says by default.
    """
    sight, pulse = Sight(database, visible), Pulse(database)
    routes = APIRouter(prefix=BASE, dependencies=list(dependencies))
    routes.include_router(projects.router(sight, pulse))
    routes.include_router(sweeps.router(sight, Lineups(database), Figures(database), pulse))
    routes.include_router(runs.router(sight, pulse))
    return routes
