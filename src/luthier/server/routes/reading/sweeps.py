"""``GET /sweeps/{id}`` and all that belongs to a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from fastapi.requests import Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from luthier.server.reading.export import as_csv, as_json
from luthier.server.reading.figures import Figures
from luthier.server.reading.lineup import Lineups
from luthier.server.reading.pulse import Pulse
from luthier.server.reading.shapes import Agent, RunTable, Sweep
from luthier.server.reading.sweeps import read_agents, read_sweep
from luthier.server.reading.table import MOST, Wish, chosen, shown_columns, table
from luthier.server.routes.reading.answering import ANSWERS, CSV, EVENTS, FIGURE, JSON, TEXT, Answering
from luthier.server.routes.reading.files import attached, streamed, streaming

if TYPE_CHECKING:
    from luthier.server.reading.sight import Sight

Filters = Annotated[list[str], Query(alias="filter", max_length=50, description='conditions, such as "loss < 0.5"')]
Columns = Annotated[list[str], Query(max_length=1000, description="names of columns; all where there is none")]
Sort = Annotated[str | None, Query(description="a column; the sweep's metric where there is none")]


def router(sight: Sight, lineups: Lineups, figures: Figures, pulse: Pulse) -> APIRouter:
    """Return the routes of a sweep."""
    routes = APIRouter(route_class=Answering, tags=["reading"])

    @routes.get("/sweeps/{sweep}", operation_id="read_sweep", responses=ANSWERS)
    def one(request: Request, sweep: str) -> Sweep:
        """A sweep: state, progress, best run, agents, config."""
        sight.sweep(request, sweep)
        with sight.database.connect() as connection:
            return read_sweep(connection, sweep)

    @routes.get("/sweeps/{sweep}/agents", operation_id="list_agents", responses=ANSWERS)
    def agents(request: Request, sweep: str) -> list[Agent]:
        """The agents of a sweep, and what each is doing."""
        sight.sweep(request, sweep)
        with sight.database.connect() as connection:
            return read_agents(connection, sweep)

    @routes.get("/sweeps/{sweep}/config", operation_id="read_config", responses=ANSWERS | TEXT, response_class=Response)
    def config(request: Request, sweep: str) -> Response:
        """The sweep's YAML, as it was given."""
        sight.sweep(request, sweep)
        with sight.database.connect() as connection:
            return PlainTextResponse(read_sweep(connection, sweep).config, headers=attached(f"sweep-{sweep}.yaml"))

    @routes.get("/sweeps/{sweep}/runs", operation_id="list_runs", responses=ANSWERS)
    def runs(
        request: Request,
        sweep: str,
        filters: Filters = [],  # noqa: B006 (FastAPI copies it)
        columns: Columns = [],  # noqa: B006 (as above)
        sort: Sort = None,
        descending: bool | None = None,
        group: str | None = None,
        deleted: bool = False,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=0, le=MOST)] = 50,
    ) -> RunTable:
        """A sweep's runs: sorted, filtered, grouped, a page at a time."""
        sight.sweep(request, sweep)
        wish = Wish(
            sort=sort, descending=descending, filters=filters, columns=columns, group=group, deleted=deleted,
            offset=offset, limit=limit,
        )  # fmt: skip
        return table(lineups.read(sweep), wish)

    def whole(
        request: Request, sweep: str, filters: list[str], columns: list[str], sort: str | None, descending: bool | None
    ) -> tuple[list[str], list[dict[str, object]]]:
        sight.sweep(request, sweep)
        lineup = lineups.read(sweep)
        wish = Wish(sort=sort, descending=descending, filters=filters, columns=columns)
        return shown_columns(lineup, wish), chosen(lineup, wish)[0]

    @routes.get("/sweeps/{sweep}/runs.csv", operation_id="runs_csv", responses=ANSWERS | CSV, response_class=Response)
    def csv(
        request: Request,
        sweep: str,
        filters: Filters = [],  # noqa: B006 (as above)
        columns: Columns = [],  # noqa: B006 (as above)
        sort: Sort = None,
        descending: bool | None = None,
    ) -> StreamingResponse:
        """All runs that pass the filters, as CSV."""
        names, rows = whole(request, sweep, filters, columns, sort, descending)
        return streaming(as_csv(names, rows), "text/csv", f"sweep-{sweep}-runs.csv")

    @routes.get(
        "/sweeps/{sweep}/runs.json", operation_id="runs_json", responses=ANSWERS | JSON, response_class=Response
    )
    def json(
        request: Request,
        sweep: str,
        filters: Filters = [],  # noqa: B006 (as above)
        columns: Columns = [],  # noqa: B006 (as above)
        sort: Sort = None,
        descending: bool | None = None,
    ) -> StreamingResponse:
        """All runs that pass the filters, as JSON."""
        names, rows = whole(request, sweep, filters, columns, sort, descending)
        wanted = ({name: row[name] for name in names if name in row} for row in rows)
        return streaming(as_json(wanted), "application/json", f"sweep-{sweep}-runs.json")

    @routes.get(
        "/sweeps/{sweep}/figures/{name}",
        operation_id="read_figure",
        responses=ANSWERS | FIGURE,
        response_class=Response,
    )
    def figure(request: Request, sweep: str, name: str, metric: str | None = None, mode: str | None = None) -> Response:
        """A figure of the sweep, as in notebooks: learning curves, importance of parameters and others."""
        sight.sweep(request, sweep)
        return Response(figures.read(sweep, name, metric, mode), media_type="application/json")

    @routes.get(
        "/sweeps/{sweep}/stream", operation_id="stream_sweep", responses=ANSWERS | EVENTS, response_class=Response
    )
    def stream(request: Request, sweep: str) -> StreamingResponse:
        """What changes in the sweep, as server-sent events ``now``, ``change`` and ``gone``."""
        sight.sweep(request, sweep)
        return streamed(pulse.sweep(sweep))

    return routes
