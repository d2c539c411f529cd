"""The pages: projects, a sweep, a run, a comparison; and the addresses that W&B's pages have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.requests import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from markupsafe import Markup

import luthier
from luthier.core.errors import BadArgument
from luthier.core.terms import AUTOMATIC
from luthier.server.missing import NotThere
from luthier.server.reading.compared import compare
from luthier.server.reading.lineup import Lineups
from luthier.server.reading.projects import list_projects, read_project
from luthier.server.reading.runs import read_alone, read_files, read_output, read_run
from luthier.server.reading.sight import Sight, visible
from luthier.server.reading.sweeps import list_sweeps, read_sweep
from luthier.server.web import statics
from luthier.server.web.looks import environment
from luthier.server.web.run_table import RunTableView
from luthier.server.web.viewer import Viewer, viewer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from fastapi.params import Depends

    from luthier.server.reading.sight import Visible

_SWEEPS, _LINES, _CURVES, _ALONE = 50, 300, 24, 100
_NUL = "\x00"


class Page(APIRoute):
    """A route that shows a page about what is wrong."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route with that around it."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            if any(_NUL in value for value in request.path_params.values()):
                return error_page(404, "Not here", "There is nothing of that name here.")
            try:
                return await handle(request)
            except NotThere as error:
                return error_page(404, "Not here", str(error))

        return answer


def error_page(status: int, title: str, text: str) -> HTMLResponse:
    """Return a page that says what is wrong."""
    page = environment().get_template("error.html")
    body = page.render(
        status=status, title=title, text=text, viewer=Viewer(writes=False), version=luthier.__version__, readonly=True
    )
    return HTMLResponse(body, status)


def router(
    database: sa.Engine,
    *,
    dependencies: Sequence[Depends] = (),
    visible: Visible = visible,
    readonly: bool = False,
) -> APIRouter:
    """Return the routes of all pages and of the files that they need; to be included after those of REST.

    Args:
        database: the server's.
        dependencies: what each request for a page passes first.
        visible: says which projects a request may see; as its key says by default.
        readonly: whether pages have no buttons that change anything.
    """
    routes = APIRouter()
    routes.include_router(statics.router())
    routes.include_router(_Pages(Sight(database, visible), readonly=readonly).routes(), dependencies=list(dependencies))
    return routes


class _Pages:
    """What pages are made of."""

    def __init__(self, sight: Sight, *, readonly: bool) -> None:
        self._sight, self._readonly, self._lineups = sight, readonly, Lineups(sight.database)

    def routes(self) -> APIRouter:
        found = APIRouter(route_class=Page, include_in_schema=False)
        found.get("/")(self.projects)
        found.get("/projects/{project:path}")(self.project)
        found.get("/sweeps/{sweep}")(self.sweep)
        found.get("/runs/{run}")(self.run)
        found.get("/compare")(self.compare)
        found.get("/{entity}/{name}/sweeps/{sweep}")(self.sweep_of)
        found.get("/{entity}/{name}/runs/{run}")(self.run_of)
        for tab in ("", "/workspace", "/runs", "/sweeps"):
            found.get("/{entity}/{name}" + tab)(self.project_of)
        return found

    def _render(self, request: Request, template: str, **values: Any) -> HTMLResponse:
        values |= {"viewer": viewer(request, readonly=self._readonly), "readonly": self._readonly}
        text = environment().get_template(template).render(**values, version=luthier.__version__)
        return HTMLResponse(text, headers={"Cache-Control": "no-store"})

    def projects(self, request: Request) -> Response:
        with self._sight.database.connect() as connection:
            found = list_projects(connection, self._sight.visible(request))
        template = "projects_list.html" if request.query_params.get("part") == "list" else "projects.html"
        return self._render(request, template, projects=found)

    def project(self, request: Request, project: str) -> Response:
        number = self._sight.project(request, project)
        given = request.query_params.get("offset", "0")
        offset = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0  # noqa: PLR2004
        with self._sight.database.connect() as connection:
            values = {
                "project": read_project(connection, project),
                "sweeps": list_sweeps(connection, project, None, offset, _SWEEPS),
                "alone": read_alone(connection, number, _ALONE),
            }
        template = "project_list.html" if request.query_params.get("part") == "list" else "project.html"
        return self._render(request, template, **values, offset=offset, limit=_SWEEPS)

    def sweep(self, request: Request, sweep: str) -> Response:
        self._sight.sweep(request, sweep)
        part = request.query_params.get("part")
        with self._sight.database.connect() as connection:
            values: dict[str, Any] = {"sweep": read_sweep(connection, sweep)}
        if part in {"head", "agents"}:
            return self._render(request, f"sweep_{part}.html", **values)
        lineup = self._lineups.read(sweep)
        values["view"] = RunTableView(f"/sweeps/{values['sweep'].id}", request.query_params, lineup)
        if part == "runs":
            return self._render(request, "sweep_runs.html", **values)
        named = [c.label for c in values["view"].table.columns if c.kind == "summary" and c.numeric]
        own = [] if lineup.metric is None else [lineup.metric]
        return self._render(request, "sweep.html", **values, metrics=list(dict.fromkeys([*own, *named]))[:200])

    def run(self, request: Request, run: str) -> Response:
        self._sight.run(request, run)
        part = request.query_params.get("part")
        with self._sight.database.connect() as connection:
            found = read_run(connection, run)
            name, kind = "", "sweep"  # a run by itself is steered as those of sweeps are, not as an experiment's trials
            if found.sweep is not None:
                above = read_sweep(connection, found.sweep)
                name, kind = above.name, above.kind
            values: dict[str, Any] = {"run": found, "steerable": kind == "sweep"}
            if part in {"head", "values"}:
                return self._render(request, f"run_{part}.html", **values)
            files, output = read_files(connection, run), read_output(connection, run, limit=_LINES)
        told = [metric for metric in found.metrics if metric not in AUTOMATIC or metric == found.metric]
        return self._render(
            request,
            "run.html",
            **values,
            sweep_name=name,
            files=files,
            output=output,
            curves=told[:_CURVES],
            more_curves=max(0, len(told) - _CURVES),
        )

    def compare(self, request: Request) -> Response:
        ids = [each for text in request.query_params.getlist("runs") for each in text.split(",") if each]
        values: dict[str, Any] = {"found": None, "one": None, "problem": "", "compared": ""}
        try:
            for each in ids[:100]:
                self._sight.run(request, each.replace(_NUL, ""))
            with self._sight.database.connect() as connection:
                values["found"] = found = compare(connection, [each.replace(_NUL, "") for each in ids])
            if found.runs:
                values["one"] = found.runs[0]
                values["compared"] = _in_script([{"id": run.id, "name": run.name} for run in found.runs])
        except (BadArgument, NotThere) as error:
            values["problem"] = str(error)
        return self._render(request, "compare.html", **values)

    def sweep_of(self, request: Request, entity: str, name: str, sweep: str) -> Response:
        self._foreign(entity)
        self._sight.sweep(request, sweep)
        return RedirectResponse(request.url_for("sweep", sweep=sweep).path, 307)

    def run_of(self, request: Request, entity: str, name: str, run: str) -> Response:
        self._foreign(entity)
        self._sight.run(request, run)
        return RedirectResponse(request.url_for("run", run=run).path, 307)

    def project_of(self, request: Request, entity: str, name: str) -> Response:
        self._foreign(entity)
        self._sight.project(request, name)
        return RedirectResponse(request.url_for("project", project=name).path, 307)

    @staticmethod
    def _foreign(entity: str) -> None:
        """Refuse what is no entity but a mistyped address of REST."""
        if entity in {"api", "static"}:
            raise NotThere("page", entity)


def _in_script(value: object) -> Markup:
    """Return *value* as JSON for a script element, which no text in it can end."""
    import msgspec

    return Markup(msgspec.json.encode(value).decode().replace("<", "\\u003c"))  # noqa: S704 (that is what this is for)
