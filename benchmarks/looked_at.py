"""The server's pages in a browser without a screen: a sweep of 5 000 runs, a run of 1 000 000 rows."""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.measure import Figures, rounded
from benchmarks.served import DATABASES, Served, database, has
from benchmarks.target import Target
from luthier.server.database import connect
from luthier.server.schema import migrate

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SWEEP = "fm923t32"
SHOWN = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
FIGURES = ("learning_curves", "optimization_history")  # those that are in sight at first


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it; the peers have no such pages."""
    runs, rows = (200, 20_000) if quick else (5000, 1_000_000)
    found: dict[str, Figures] = {}
    targets = []
    for kind in DATABASES:
        if not has(kind):
            print(f"{SHOWN[kind]} is not installed here, so not measured", file=sys.stderr)
            continue
        found[kind] = here = _measured(kind, runs, rows)
        targets += [
            Target(
                f"{SHOWN[kind]}: page of a sweep with {runs} runs, its first figures drawn, s", here["open_s"], most=2.0
            ),
            Target("... the first time since the server began, s", here["first_open_s"], wanted="-"),
            Target("... sorted by another column, ms", here["sort_ms"], wanted="-"),
            Target(f"{SHOWN[kind]}: points of a curve of {rows} rows", here["points"], most=1000),
            Target("... the first time, s", here["first_curve_s"], wanted="-"),
            Target("... again, ms", here["curve_ms"], wanted="-"),
        ]
    return {"luthier": found, "ratios": {}, "targets": targets}


def _measured(kind: str, runs: int, rows: int) -> Figures:
    from tests.server.browsing import chromium
    from tests.server.seeded import Seeded

    with database(kind) as url:
        engine = connect(url)
        migrate(engine)
        seeded = Seeded(engine)
        seeded.project()
        seeded.sweep(SWEEP, runs=runs, reports=10, going=20, agents=20, extra=3)
        seeded.long(rows=rows)
        engine.dispose()
        server = Served(url)
        address = f"http://127.0.0.1:{server.port}"
        try:
            with chromium() as browser:
                opened = [_open(browser, address) for _ in range(6)]
            with httpx.Client(base_url=address, timeout=120) as client:
                sort = _timed(client, f"/sweeps/{SWEEP}?part=runs&sort=lr")[0]
                first, answer = _timed(client, "/api/v1/runs/long/curves?metric=loss")
                again, _ = _timed(client, "/api/v1/runs/long/curves?metric=loss")
            return rounded({
                "open_s": statistics.median(opened[1:]), "first_open_s": opened[0], "sort_ms": 1e3 * sort,
                "points": len(answer.json()["series"][0]["x"]), "first_curve_s": first, "curve_ms": 1e3 * again,
                "loaded_mb": server.rss_mb(),
            })  # fmt: skip
        finally:
            server.stop()


def _open(browser: Browser, address: str) -> float:
    """Return the seconds until a reader who was never here sees figures."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    begin = time.perf_counter()
    page.goto(f"{address}/sweeps/{SWEEP}", wait_until="commit")
    for name in FIGURES:
        page.wait_for_selector(f'[data-figure="{name}"] .main-svg', state="attached", timeout=60_000)
    found = time.perf_counter() - begin
    context.close()
    return found


def _timed(client: httpx.Client, path: str) -> tuple[float, httpx.Response]:
    begin = time.perf_counter()
    answer = client.get(path)
    answer.raise_for_status()
    return time.perf_counter() - begin, answer
