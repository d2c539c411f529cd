"""``GET /runs/{id}`` and all that belongs to a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from fastapi.requests import Request
from fastapi.responses import Response, StreamingResponse

from luthier.server.reading.compared import compare
from luthier.server.reading.export import as_json, batches_csv
from luthier.server.reading.history import (
    FEWEST,
    MOST_METRICS,
    MOST_POINTS,
    MOST_ROWS,
    POINTS,
    all_rows,
    curves,
    read_rows,
)
from luthier.server.reading.pulse import Pulse
from luthier.server.reading.runs import MOST_LINES, output_text, read_output, read_run
from luthier.server.reading.shapes import Comparison, History, HistoryRows, Output, Run
from luthier.server.reading.stretches import Stretches
from luthier.server.routes.reading.answering import ANSWERS, CSV, EVENTS, JSON, TEXT, Answering
from luthier.server.routes.reading.files import streamed, streaming

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luthier.server.reading.sight import Sight

Big = Annotated[int, Query(ge=0, le=10**12)]


def router(sight: Sight, pulse: Pulse) -> APIRouter:
    """Return the routes of a run."""
    routes = APIRouter(route_class=Answering, tags=["reading"])
    stretches = Stretches()

    @routes.get("/runs/{run}", operation_id="read_run", responses=ANSWERS)
    def one(request: Request, run: str) -> Run:
        """A run: config, summary, state, why it ended."""
        sight.run(request, run)
        with sight.database.connect() as connection:
            return read_run(connection, run)

    @routes.get("/runs/{run}/curves", operation_id="read_curves", responses=ANSWERS)
    def drawn(
        request: Request,
        run: str,
        metric: Annotated[list[str], Query(max_length=MOST_METRICS)] = [],  # noqa: B006 (FastAPI copies it)
        x: str = "row",
        points: Annotated[int, Query(ge=FEWEST, le=MOST_POINTS)] = POINTS,
    ) -> History:
        """Curves of metrics, made shorter where they are long; all metrics where none is named."""
        sight.run(request, run)
        with sight.database.connect() as connection:
            names = metric or read_run(connection, run).metrics[:MOST_METRICS]
            return curves(connection, stretches, run, names, x=x, points=points)

    @routes.get("/runs/{run}/history", operation_id="read_history", responses=ANSWERS)
    def rows(
        request: Request, run: str, offset: Big = 0, limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 500
    ) -> HistoryRows:
        """Rows as they were logged, a page at a time."""
        sight.run(request, run)
        with sight.database.connect() as connection:
            return read_rows(connection, run, offset=offset, limit=limit)

    @routes.get("/runs/{run}/history.csv", operation_id="history_csv", responses=ANSWERS | CSV, response_class=Response)
    def csv(request: Request, run: str) -> StreamingResponse:
        """The whole history as CSV; a column for each metric in the summary, or in the first rows."""
        sight.run(request, run)

        def parts() -> Iterator[str]:
            with sight.database.connect() as connection:
                yield from batches_csv(list(read_run(connection, run).summary), all_rows(connection, run))

        return streaming(parts(), "text/csv", f"run-{run}-history.csv")

    @routes.get(
        "/runs/{run}/history.json", operation_id="history_json", responses=ANSWERS | JSON, response_class=Response
    )
    def json(request: Request, run: str) -> StreamingResponse:
        """The whole history as JSON."""
        sight.run(request, run)

        def parts() -> Iterator[bytes]:
            with sight.database.connect() as connection:
                yield from as_json(row for batch in all_rows(connection, run) for row in batch)

        return streaming(parts(), "application/json", f"run-{run}-history.json")

    @routes.get("/runs/{run}/output", operation_id="read_output", responses=ANSWERS)
    def output(
        request: Request,
        run: str,
        attempt: Annotated[int | None, Query(ge=0, le=10**9)] = None,
        first: Annotated[int | None, Query(ge=0, le=10**12)] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = 500,
    ) -> Output:
        """Lines that the run printed: from *first* on, or the last ones."""
        sight.run(request, run)
        with sight.database.connect() as connection:
            return read_output(connection, run, attempt=attempt, first=first, limit=limit)

    @routes.get("/runs/{run}/output.txt", operation_id="output_text", responses=ANSWERS | TEXT, response_class=Response)
    def text(request: Request, run: str) -> StreamingResponse:
        """All that the run printed."""
        sight.run(request, run)

        def parts() -> Iterator[str]:
            with sight.database.connect() as connection:
                yield from output_text(connection, run)

        return streaming(parts(), "text/plain", f"run-{run}-output.txt")

    @routes.get("/runs/{run}/stream", operation_id="stream_run", responses=ANSWERS | EVENTS, response_class=Response)
    def stream(request: Request, run: str) -> StreamingResponse:
        """What changes in the run, as server-sent events ``now``, ``change`` and ``gone``."""
        sight.run(request, run)
        return streamed(pulse.run(run))

    @routes.get("/compare", operation_id="compare_runs", responses=ANSWERS)
    def compared(request: Request, runs: Annotated[list[str], Query(min_length=1, max_length=100)]) -> Comparison:
        """Chosen runs beside each other; ids may be joined by commas."""
        ids = [each for text in runs for each in text.split(",") if each]
        for each in ids:
            sight.run(request, each)
        with sight.database.connect() as connection:
            return compare(connection, ids)

    return routes
