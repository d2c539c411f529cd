"""Pages in headless Chromium: ``python -m benchmarks.opened PORT``, over a server that :func:`fill` has filled.

It prints one line of JSON: seconds from the address to a page whose table and figures in view are drawn, the first time
and the median of the next; points of a long run's curve as drawn.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import time
from typing import Any

SWEEP, LONG = "fm923t32", "long"
SETTLED = """() => document.readyState === "complete" && [...document.querySelectorAll("figure")].every((box) => {
  const place = box.getBoundingClientRect();
  return place.top > innerHeight || place.bottom < 0 || (box.getAttribute("aria-busy") !== "true"
    && !box.textContent.includes("Drawing"));
}) && (!document.querySelector("figure") || document.querySelector(".js-plotly-plot, canvas, svg"))"""
POINTS = """() => Math.max(0, ...[...document.querySelectorAll(".js-plotly-plot")].flatMap(
  (plot) => (plot._fullData || []).map((trace) => (trace.y || trace.x || []).length || 0)))"""


def fill(url: str, runs: int, rows: int) -> None:
    """Make a sweep of *runs* runs, and a run with a history of *rows* rows."""
    from luthier.server.database import connect
    from luthier.server.schema import migrate
    from tests.server.seeded import Seeded

    engine = connect(url)
    migrate(engine)
    seeded = Seeded(engine)
    seeded.project()
    seeded.sweep(SWEEP, runs=runs, reports=20, agents=20, extra=3)
    seeded.long(LONG, rows)
    engine.dispose()


def missing() -> str:
    """Return what is not there for this; empty if all is."""
    try:
        import playwright  # noqa: F401 (asked for, not used)
    except ImportError:
        return "playwright"
    return "" if _chromium() else "chromium"


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def main() -> None:
    from playwright.sync_api import sync_playwright

    server = f"http://127.0.0.1:{sys.argv[1]}"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        browser.new_page().goto(f"{server}/api/v1/health")  # the browser itself is warm

        def opened(path: str) -> tuple[float, Any]:
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            start = time.perf_counter()
            page.goto(server + path)
            page.wait_for_function(SETTLED)
            took = time.perf_counter() - start
            points = page.evaluate(POINTS)
            page.context.close()
            return took, points

        first, _ = opened(f"/sweeps/{SWEEP}")
        again = statistics.median(opened(f"/sweeps/{SWEEP}")[0] for _ in range(5))
        long_s, long_points = opened(f"/runs/{LONG}")
        browser.close()
    found = {"first_s": first, "again_s": again, "long_s": long_s, "long_points": long_points}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
