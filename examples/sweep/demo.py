"""A sweep from end to end on this machine: a server, three agents, a training script, and its pages as pictures.

python demo.py [DIRECTORY]    leaves the database, the files and the pictures there (sweep-demo by default)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import luthier
from luthier.sweeps.client import Client

HERE = Path(__file__).parent
AGENTS = 3
RUNS = int(os.environ.get("DEMO_RUNS", "24"))


def main() -> None:
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "sweep-demo").absolute()
    place.mkdir(parents=True, exist_ok=True)
    server, url = served(place)
    agents = []
    try:
        config = (HERE / "digits.yaml").read_text().replace("run_cap: 24", f"run_cap: {RUNS}")
        sweep = luthier.sweep(config, server=url)
        agents = [agent(place, url, sweep, number) for number in range(AGENTS)]
        watch(url, sweep, agents)
        shoot(url, sweep, place)
    finally:
        for process in [*agents, server]:
            if process.poll() is None:
                process.terminate()
        for process in [*agents, server]:
            process.wait(30)


def served(place: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server, and return it and its URL once it answers."""
    ready = place / "ready.json"
    ready.unlink(missing_ok=True)
    flags = ["--port", "0", "--database-url", f"sqlite:///{place}/server.db", "--files", str(place / "files")]
    server = subprocess.Popen([sys.executable, "-m", "luthier", "server", *flags, "--ready-file", ready])
    while not ready.exists():
        if server.poll() is not None:
            raise SystemExit("the server did not start")
        time.sleep(0.05)
    return server, json.loads(ready.read_text())["url"]


def agent(place: Path, url: str, sweep: str, number: int) -> subprocess.Popen[bytes]:
    """Start an agent of *sweep*; what it says goes into a file."""
    command = [sys.executable, "-m", "luthier", "agent", sweep, "--server", url, "--name", f"agent-{number + 1}"]
    with open(place / f"agent-{number + 1}.log", "wb") as out:
        return subprocess.Popen(command, cwd=HERE, stdout=out, stderr=subprocess.STDOUT)


def watch(url: str, sweep: str, agents: list[subprocess.Popen[bytes]]) -> None:
    """Show how the sweep gets on until it is at its end."""
    start, client, shown = time.monotonic(), Client(url), ""
    while True:
        found = client.sweep(sweep)
        counts = ", ".join(f"{n} {state}" for state, n in sorted(found["counts"].items()))
        if counts != shown:
            print(f"{time.monotonic() - start:5.1f} s  {counts}")
            shown = counts
        if found["state"] == "FINISHED":
            break
        if all(process.poll() is not None for process in agents):
            raise SystemExit("all agents have gone, and the sweep is not at its end")
        time.sleep(0.5)
    best = found["best_run"]
    config = ", ".join(f"{name} {value:.4g}" for name, value in found["best_config"].items())
    print(f"{found['runs']} runs in {time.monotonic() - start:.1f} s by {AGENTS} agents.")
    print(f"Best: {best['name']}, accuracy {found['best_value']:.3f} with {config}.")


def shoot(url: str, sweep: str, place: Path) -> None:
    """Take pictures of the pages, if there is a browser."""
    from luthier.plots.picture import found_browser

    found = found_browser()
    if found is None:
        print(f"No browser was found for pictures; luthier server --database-url sqlite:///{place}/server.db shows it.")
        return
    from playwright.sync_api import expect, sync_playwright  # pip install playwright

    with sync_playwright() as play:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = play.chromium.launch(executable_path=found, args=flags)
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        run = Client(url).sweep(sweep)["best_run"]["id"]
        for name, path in {"projects": "/", "sweep": f"/sweeps/{sweep}", "run": f"/runs/{run}"}.items():
            page.goto(url + path)
            height = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": 1280, "height": height})  # figures are drawn once they are in view
            drawing = page.get_by_text("Drawing").filter(visible=True)
            expect(drawing).to_have_count(0, timeout=60_000)
            page.screenshot(path=place / f"{name}.png", full_page=True)
        chromium.close()
    print(f"Pictures of its pages: {place}/projects.png, sweep.png and run.png.")


if __name__ == "__main__":
    main()
