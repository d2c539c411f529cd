"""Every page in Chromium: clicked through, by keyboard too, on data that change meanwhile."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from luthier.core import events as ev
from luthier.core.terms import Outcome, Status, TrialId
from luthier.server import tables
from luthier.server.database import connect
from luthier.server.schema import migrate
from tests.server.browsing import application, chromium, serving
from tests.server.seeded import EVIL, T0, Seeded, text

DEMO = Path(__file__).parents[2] / "examples" / "sweep" / "demo.py"
SWEEP, BIG, WIDE = "fm923t32", "big00000", "wide0000"
PATHS = ("/", "/projects/digits", f"/sweeps/{SWEEP}", f"/runs/{SWEEP}-5", "/runs/long",
         f"/compare?runs={SWEEP}-0,{SWEEP}-1", "/sweeps/empty000", f"/sweeps/{WIDE}", f"/runs/{WIDE}-0")  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A database with sweeps of all kinds, its address, and what buttons have sent."""
    database = connect(f"sqlite:///{tmp_path_factory.mktemp('pages')}/server.db")
    migrate(database)
    seeded = Seeded(database)
    asked: list[tuple[object, ...]] = []
    seeded.project()
    seeded.sweep(runs=64, reports=6, agents=3)
    seeded.sweep(BIG, runs=200, reports=2, going=5, agents=5, name="many runs")
    seeded.sweep("empty000", runs=0, agents=0, going=0, state="PENDING", name="nothing yet")
    seeded.sweep(WIDE, runs=4, going=1, name=EVIL, config=f"# {EVIL * 9}\n")
    evil = text({EVIL: EVIL, "a_long_name_of_a_parameter_" * 4: "x" * 300, "loss": 0.5})
    with database.begin() as connection:
        own = tables.runs.c.sweep_id == WIDE
        connection.execute(tables.runs.update().where(own).values(name=EVIL, config=evil, summary=evil, error=EVIL * 5))
        mine = tables.output.c.run_id == f"{WIDE}-0"
        connection.execute(tables.output.update().where(mine).values(text=EVIL))
    seeded.long(rows=3000)
    with serving(application(database, asked)) as address:
        yield seeded, address, asked
    database.dispose()


@pytest.fixture
def page(browser, world):
    """A page that must not complain."""
    context = browser.new_context(base_url=world[1], viewport={"width": 1280, "height": 900}, bypass_csp=False)
    context.set_default_timeout(20_000)
    found = context.new_page()
    wrong: list[str] = []
    found.on("pageerror", lambda error: wrong.append(str(error)))
    found.on("console", lambda message: wrong.append(message.text) if message.type in {"error", "warning"} else None)
    found.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    yield found
    context.close()
    assert not wrong


def drawn(page, name):
    """Return the figure *name* once it is drawn."""
    figure = page.locator(f'[data-figure="{name}"]')
    figure.scroll_into_view_if_needed()
    expect(figure.locator(".main-svg").first).to_be_attached()
    return figure


def test_from_projects_to_a_run_and_back(page):
    page.goto("/")
    page.get_by_role("link", name="digits").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("digits")
    page.get_by_role("link", name="digits by TPE").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("digits by TPE")
    page.locator("#filter").fill("name = run-5")
    page.keyboard.press("Enter")
    expect(page.locator("#runs tbody tr")).to_have_count(1)
    page.locator("#runs").get_by_role("link", name="run-5", exact=True).click()
    expect(page.get_by_text("Why it was stopped")).to_be_visible()
    expect(page.locator("#lines")).to_contain_text("epoch 2")
    expect(page.locator("#curves .main-svg").first).to_be_attached()
    page.locator("a[rel=next]").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("run-6")
    page.get_by_role("navigation", name="Where you are").get_by_role("link", name="digits by TPE").click()
    expect(page.locator("#config pre")).to_contain_text("log_uniform_values")
    expect(page.locator("#agents tbody tr")).to_have_count(3)
    expect(page.locator("#agents")).to_contain_text("run-63")


def test_all_figures_are_drawn(page):
    page.goto(f"/sweeps/{SWEEP}")
    for name in ("learning_curves", "optimization_history", "param_importances", "timeline", "slice", "contour"):
        expect(drawn(page, name).locator("h3").first).not_to_be_empty()
    expect(drawn(page, "timeline")).to_contain_text("host-1")
    more = page.locator("#more")
    for name in ("rank", "edf", "rungs"):
        more.select_option(name)
        drawn(page, name)
    more.select_option("pareto_front")
    expect(page.locator("#more-figure")).to_contain_text("It takes two metrics")
    page.locator("#metric").select_option("accuracy")
    expect(page.locator('[data-figure="learning_curves"] h3')).to_have_text("Learning curves of accuracy")


def test_parallel_coordinates_choose_runs(page):
    page.goto(f"/sweeps/{SWEEP}")
    box = page.locator('[data-figure="parallel_coordinate"]')
    box.scroll_into_view_if_needed()
    axis = box.get_by_role("slider", name="lr")
    axis.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowUp")
    expect(axis).to_have_attribute("aria-valuetext", re.compile("from .* to"))
    expect(box.locator(".chosen")).to_contain_text("trials chosen")
    chosen = int(box.locator(".chosen span").inner_text().split()[0])
    assert 0 < chosen < 64
    place = box.get_by_role("slider", name="opt").bounding_box()
    page.mouse.move(place["x"] + 16, place["y"] + 4)
    page.mouse.down()
    page.mouse.move(place["x"] + 16, place["y"] + 40, steps=4)
    page.mouse.up()
    expect(box.locator(".chosen span")).not_to_contain_text(f"{chosen} of")
    fewer = int(box.locator(".chosen span").inner_text().split()[0])
    box.get_by_role("button", name="Show these in the table").click()
    expect(page.locator(".filters li")).to_have_count(3)
    expect(page.locator("#runs tbody tr")).to_have_count(fewer)
    box.get_by_role("button", name="Clear").click()
    expect(box.locator(".chosen")).to_be_hidden()


def test_table_by_keyboard_and_mouse(page):
    page.goto(f"/sweeps/{SWEEP}")
    head = page.locator('[id="sort-config/lr"]')
    head.focus()
    page.keyboard.press("Enter")
    column = page.locator("th", has=head)
    expect(column).to_have_attribute("aria-sort", "ascending")
    expect(head).to_be_focused()
    page.keyboard.press("Enter")
    expect(column).to_have_attribute("aria-sort", "descending")
    assert "sort=config%2Flr&descending=true" in page.url
    page.locator("#filter").fill("opt = adam")
    page.keyboard.press("Enter")
    expect(page.locator(".filters li")).to_have_count(1)
    counted = page.locator("#runs tbody tr").count()
    page.locator("#filter").fill("los < 1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="loss")).to_be_visible()
    page.go_back()
    expect(page.locator("#runs tbody tr")).to_have_count(counted)
    page.locator(".filters a").click()
    expect(page.locator("#runs tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Next").click()
    expect(page.locator("#runs tbody tr")).to_have_count(14)
    page.locator("#columns summary").click()
    page.locator("#columns").get_by_label("layers").uncheck()
    page.get_by_role("button", name="Show these", exact=True).click()
    expect(page.locator('[id="sort-config/layers"]')).to_have_count(0)
    page.locator("#group").select_option("config/opt")
    expect(page.locator("#runs tbody tr")).to_have_count(3)
    page.locator("#runs").get_by_role("link", name="sgd").click()
    expect(page.locator(".filters li")).to_have_text(re.compile('config/opt = "sgd"'))


def test_comparison(page):
    page.goto(f"/sweeps/{SWEEP}")
    expect(page.locator("#compare-button")).to_be_disabled()
    for k in range(2):
        page.locator('#runs input[name="runs"]').nth(k).check()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("link", name="Previous")).to_be_visible()
    page.locator('#runs input[name="runs"]').first.check()
    page.get_by_role("button", name="Compare 3 runs").click()
    expect(page.locator("table.values thead th")).to_have_count(4)
    expect(page.locator(".main-svg").first).to_be_attached()
    before = page.locator("table.values tbody tr:visible").count()
    page.get_by_label("only what differs").uncheck()
    assert page.locator("table.values tbody tr:visible").count() > before


def test_what_changes_is_shown(page, world):
    seeded = world[0]
    page.goto(f"/sweeps/{SWEEP}")
    expect(page.locator("#live")).to_have_text("live")
    run, at = TrialId(f"{SWEEP}-63"), T0 + 5000
    report = ev.Reported(run, 1, 3, {"loss": 0.00123, "training_iteration": 4})
    events = (report, ev.Exited(run, 1, Outcome.FINISHED), ev.Ended(run, Status.DONE))
    seeded.add(tables.events, seeded.append(SWEEP, at, *events))
    own = tables.runs.c.id == run
    with seeded.database.begin() as connection:
        values = {"state": "finished", "summary": text({"loss": 0.00123}), "value": 0.00123, "rows": 4, "ended_at": at}
        connection.execute(tables.runs.update().where(own).values(**values))
        head = {"length": seeded.lengths[SWEEP], "best_run": run, "best_value": 0.00123, "updated_at": at}
        connection.execute(tables.sweeps.update().where(tables.sweeps.c.id == SWEEP).values(**head))
    expect(page.locator(".facts")).to_contain_text("0.00123")
    expect(page.locator("#runs tbody tr").first).to_contain_text("0.00123")
    page.goto(f"/runs/{SWEEP}-62")
    expect(page.locator("#live")).to_have_text("live")
    line = {
        "run_id": f"{SWEEP}-62",
        "attempt": 1,
        "line": 3,
        "at": at,
        "stream": "err",
        "text": "\x1b[1m 9%\r<b>late</b>",
    }
    seeded.add(tables.output, line)
    with seeded.database.begin() as connection:
        connection.execute(tables.runs.update().where(tables.runs.c.id == f"{SWEEP}-62").values(lines=4))
    expect(page.locator("#lines span.err")).to_have_text("<b>late</b>")


def test_lists_are_alive_too(page, world):
    seeded = world[0]
    page.goto("/projects/digits")
    expect(page.locator("#live")).to_have_text("live")
    seeded.sweep("later000", runs=1, going=1, name="came later")
    expect(page.get_by_role("link", name="came later")).to_be_visible()
    page.goto("/")
    expect(page.locator("#live")).to_have_text("live")
    seeded.project("another", 2)
    expect(page.get_by_role("link", name="another")).to_be_visible()


def test_buttons(page, world):
    asked = world[2]
    page.goto(f"/sweeps/{BIG}")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#toast")).to_have_text("Pause: done")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Keep it").click()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Do it").click()
    expect(page.locator("#toast")).to_have_text("Cancel: done")
    page.goto(f"/runs/{BIG}-199")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#toast")).to_have_text("Stop: done")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Do it").click()
    expect(page).to_have_url(re.compile(f"/sweeps/{BIG}$"))
    assert [(method, path, body and json.loads(body), csrf) for method, path, body, csrf in asked] == [
        ("PATCH", f"/api/v1/sweeps/{BIG}", {"state": "PAUSED"}, "1"),
        ("PATCH", f"/api/v1/sweeps/{BIG}", {"state": "CANCELED"}, "1"),
        ("POST", f"/api/v1/runs/{BIG}-199/stop", "", "1"),
        ("DELETE", f"/api/v1/runs/{BIG}-199", "", "1"),
    ]


def test_pages_fit_a_phone_and_say_nothing_wrong(page):
    width = 390
    page.set_viewport_size({"width": width, "height": 844})
    for path in PATHS:
        page.goto(path)
        page.wait_for_load_state()
        if page.locator("figure").count():
            expect(page.locator(".js-plotly-plot, .blank").first).to_be_attached()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert not page.locator("img[src=x], script:not([src]):not([type])").count(), path


def test_theme_is_kept(page, browser, world):
    page.goto("/")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.goto("/projects/digits")
    assert dark != light == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    other = browser.new_page(base_url=world[1], color_scheme="dark")
    other.goto("/")
    assert other.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    other.close()


def test_the_demo_takes_its_pictures(world, tmp_path):
    code = f"import pathlib, runpy; shoot = runpy.run_path({str(DEMO)!r})['shoot']; "
    code += f"shoot({world[1]!r}, {WIDE!r}, pathlib.Path({str(tmp_path)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert "Pictures of its pages" in done.stdout, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["projects.png", "run.png", "sweep.png"]


def test_keyboard_finds_the_content_first(page):
    page.goto(f"/sweeps/{SWEEP}")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_a_figure_that_fails_can_be_tried_again(browser, world):
    page = browser.new_page(base_url=world[1])
    broken = re.compile("figures/learning_curves")
    page.route(broken, lambda route: route.fulfill(status=500, body="no"))
    page.goto(f"/sweeps/{SWEEP}")
    figure = page.locator('[data-figure="learning_curves"]')
    expect(figure.get_by_role("alert")).to_contain_text("500")
    page.unroute(broken)
    figure.get_by_role("button", name="Try again").click()
    expect(figure.locator(".main-svg").first).to_be_attached()
    page.close()


def test_what_is_deleted_is_told(page, world):
    seeded = world[0]
    seeded.sweep("gone0000", runs=2, going=1, name="soon gone")
    page.goto("/runs/gone0000-1")
    expect(page.locator(".main-svg").first).to_be_attached()
    expect(page.locator("#live")).to_have_text("live")
    with seeded.database.begin() as connection:
        connection.execute(sa.delete(tables.sweeps).where(tables.sweeps.c.id == "gone0000"))
    expect(page.locator("#live")).to_have_text("deleted")
