"""Pages as the server makes them: every link leads somewhere, no word of a user's is markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from fastapi import Depends, FastAPI
from fastapi.requests import Request  # noqa: TC002 (FastAPI reads the annotation)
from fastapi.testclient import TestClient

from luthier.server import tables
from luthier.server.app import create_app
from luthier.server.auth.caller import LOCAL, Caller, Role
from luthier.server.auth.keys import Keys
from luthier.server.routes import reading
from luthier.server.web import pages
from tests.server.seeded import EVIL, Seeded, text

SWEEP = "fm923t32"


def application(seeded, caller=None, **options):
    def check(request: Request) -> None:
        if caller is not None:
            request.state.caller = caller

    app = FastAPI(dependencies=[Depends(check)])
    app.include_router(reading.router(seeded.database))
    app.include_router(pages.router(seeded.database, **options))
    return TestClient(app)


@pytest.fixture
def sweep(seeded):
    seeded.project()
    seeded.sweep()
    return seeded


class Elements(HTMLParser):
    """All elements of a page, and its text."""

    def __init__(self, page):
        super().__init__()
        self.found, self.words = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data

    def all(self, tag):
        return [attributes for found, attributes in self.found if found == tag]


def test_all_that_a_page_refers_to_is_there(sweep):
    sweep.long(rows=60)
    with application(sweep) as client:
        waiting = ["/", f"/compare?runs={SWEEP}-0,{SWEEP}-1", "/runs/long"]
        seen: set[str] = set()
        while waiting:
            path = waiting.pop()
            if path in seen or len(seen) > 150:
                continue
            seen.add(path)
            answer = client.get(path)
            assert answer.status_code == 200, path
            if "text/html" not in answer.headers["content-type"]:
                continue
            page = Elements(answer.text)
            links = [a["href"] for a in page.all("a")] + [s["src"] for s in page.all("script") if "src" in s]
            links += [each["href"] for each in page.all("link")] + [each["src"] for each in page.all("img")]
            waiting += [link for link in links if link.startswith("/")]
    assert {"/sweeps/fm923t32", "/runs/fm923t32-11", "/projects/digits"} < seen
    assert any(path.startswith("/static/plotly.min.js") for path in seen) and len(seen) > 60


def test_nothing_runs_inline(sweep):
    with application(sweep) as client:
        for path in (
            "/",
            "/projects/digits",
            f"/sweeps/{SWEEP}",
            f"/runs/{SWEEP}-5",
            f"/compare?runs={SWEEP}-0,{SWEEP}-1",
        ):
            page = Elements(client.get(path).text)
            for tag, attributes in page.found:
                assert not [name for name in attributes if name.startswith("on")], (path, tag)
                assert tag != "script" or "src" in attributes or attributes["type"] == "application/json"
                assert tag != "style"


def test_words_of_users_are_text(seeded):
    seeded.project(EVIL)
    seeded.sweep(runs=4, going=1, name=EVIL, config=f"# {EVIL}\n")
    evil = {EVIL: EVIL, "loss": 0.5, "plain": "</script><script>alert(3)</script>"}
    with seeded.database.begin() as connection:
        connection.execute(tables.projects.update().values(description=EVIL))
        connection.execute(tables.runs.update().values(
            name=EVIL, config=text(evil), summary=text(evil), reason=EVIL, error=EVIL, why=text(evil), notes=EVIL,
            group=EVIL, tags=text([EVIL]), about=text(evil),
        ))  # fmt: skip
        connection.execute(tables.output.update().values(text=f"\x1b[31m{EVIL}"))
        connection.execute(tables.agents.update().values(name=EVIL, host=EVIL, resources=text({EVIL: 1})))
        connection.execute(tables.sweeps.update().values(description=EVIL, reason=EVIL, metric="loss"))
        values = {"run_id": f"{SWEEP}-0", "path": f"a/{EVIL}", "size": 1, "sha256": "0", "at": 0.0}
        connection.execute(tables.files.insert().values(**values))
    columns = {
        "filter": f'name = "{EVIL[:5]}',
        "group": f"config/{EVIL}",
        "columns": [f"config/{EVIL}", "reason", "error"],
    }
    with application(seeded) as client:
        for path, params in (
            ("/", None),
            (client.get("/").text.split('<td><a href="')[1].split('"')[0], None),
            (f"/sweeps/{SWEEP}", None),
            (f"/sweeps/{SWEEP}", columns),
            (f"/sweeps/{SWEEP}", {"filter": EVIL}),
            (f"/sweeps/{SWEEP}", {"sort": EVIL, "group": EVIL}),
            (f"/runs/{SWEEP}-0", None),
            (f"/compare?runs={SWEEP}-0,{SWEEP}-1", None),
            (f"/compare?runs={EVIL}", None),
            (f"/runs/{EVIL.replace('/', '')}", None),
        ):
            answer = client.get(path, params=params)
            page = Elements(answer.text)
            assert answer.status_code == (404 if "script" in path.lower() and "/runs/" in path[:6] else 200), path
            assert "alert(1)" in page.words, (path, params)
            assert not [a for a in page.all("img") if "onerror" in a], path
            sources = [a for a in page.all("script") if "src" not in a]
            assert all(a.get("type") == "application/json" for a in sources), path


def test_parts_are_what_the_page_holds(sweep):
    with application(sweep) as client:
        page = client.get(f"/sweeps/{SWEEP}", params={"filter": "opt = adam", "sort": "lr"}).text
        for part in ("head", "runs", "agents"):
            found = client.get(f"/sweeps/{SWEEP}", params={"filter": "opt = adam", "sort": "lr", "part": part}).text
            assert found.strip() and found.replace("&amp;part=" + part, "") in page
        page = client.get(f"/runs/{SWEEP}-5").text
        for part in ("head", "values"):
            assert client.get(f"/runs/{SWEEP}-5", params={"part": part}).text in page


def test_the_table_says_how_it_is_sorted(sweep):
    with application(sweep) as client:
        page = client.get(f"/sweeps/{SWEEP}").text
        (head,) = re.findall(r'<th[^>]*aria-sort="(\w+)"[^>]*><a href="([^"]*)"[^>]*>(\w+)</a>', page)
        assert head[0] == "ascending" and head[2] == "loss"
        turned = client.get(head[1].replace("&amp;", "&")).text
        assert re.findall(r'aria-sort="(\w+)"', turned) == ["descending"]
        rows = re.findall(r'<a href="/runs/(fm923t32-\d+)">', turned.split("<tbody>")[1].split("</tbody>")[0])
        first = re.findall(r'<a href="/runs/(fm923t32-\d+)">', page.split("<tbody>")[1].split("</tbody>")[0])
        assert rows == first[::-1] and len(rows) == 12


def test_a_query_that_makes_no_sense_is_told(sweep):
    with application(sweep) as client:
        for params in ({"filter": "loss"}, {"sort": "nope"}, {"group": "nope"}, {"columns": "nope"}):
            answer = client.get(f"/sweeps/{SWEEP}", params=params)
            assert answer.status_code == 200 and 'role="alert"' in answer.text
        for params in ({"offset": "999"}, {"offset": "-1"}, {"offset": "1e9"}, {"descending": "perhaps"}):
            assert client.get(f"/sweeps/{SWEEP}", params=params).status_code == 200
        assert "Back to the first page" in client.get(f"/sweeps/{SWEEP}?offset=999").text


def test_addresses_of_wandb(sweep):
    with application(sweep) as client:
        for path, there in ((f"/me/digits/sweeps/{SWEEP}", f"/sweeps/{SWEEP}"),
                            (f"/me/digits/runs/{SWEEP}-1", f"/runs/{SWEEP}-1"),
                            ("/me/digits", "/projects/digits"),  # what the client prints as "View project at"
                            ("/me/digits/workspace", "/projects/digits"),
                            ("/me/digits/runs", "/projects/digits"),
                            ("/me/digits/sweeps", "/projects/digits")):  # fmt: skip
            answer = client.get(path, follow_redirects=False)
            assert (answer.status_code, answer.headers["location"]) == (307, there)
        assert client.get("/me/digits/sweeps/nope").status_code == 404
        assert client.get("/me/nope").status_code == client.get("/me/nope/workspace").status_code == 404
        assert client.get(f"/api/digits/sweeps/{SWEEP}").status_code == client.get("/api/digits").status_code == 404
        assert client.get("/static/../looks.py").status_code == 404 and client.get("/static/nope.js").status_code == 404


def buttons(page):
    return sorted(set(re.findall(r'data-method="(\w+)"', page)))


def test_only_who_may_write_has_buttons(sweep):
    reader, writer = Caller("ann", Role.READ, key_id="k"), Caller("bob", Role.WRITE, key_id="l", session=True)
    for caller, options, expected in (
        (None, {}, ["PATCH"]), (None, {"readonly": True}, []), (reader, {}, []), (writer, {}, ["PATCH"]),
    ):  # fmt: skip
        with application(sweep, caller, **options) as client:
            page = client.get(f"/sweeps/{SWEEP}").text
            assert buttons(page) == expected
            assert bool(buttons(client.get(f"/runs/{SWEEP}-11").text)) == bool(expected)
            assert ("Log out" in page) == (caller is writer)
    with sweep.database.begin() as connection:
        connection.execute(tables.sweeps.update().values(state="FINISHED"))
    with application(sweep) as client:
        assert buttons(client.get(f"/sweeps/{SWEEP}").text) == []


def test_another_project_is_not_there(sweep):
    sweep.project("other", 2)
    sweep.sweep("theirs00", runs=2, going=0, project=2)
    with application(sweep, Caller("ann", Role.READ, project_id=1, key_id="k")) as client:
        assert "other" not in client.get("/").text
        for path in ("/projects/other", "/sweeps/theirs00", "/runs/theirs00-0", "/x/y/sweeps/theirs00"):
            assert client.get(path).status_code == 404
        assert "There is no run" in client.get(f"/compare?runs={SWEEP}-0,theirs00-0").text


def test_nothing_yet(seeded: Seeded):
    with application(seeded) as client:
        assert "luthier sweep" in client.get("/").text
        seeded.project()
        assert "luthier sweep" in client.get("/projects/digits").text
        seeded.sweep(runs=0, going=0, agents=0, state="PENDING", metric=None)
        page = client.get(f"/sweeps/{SWEEP}").text
        assert "No runs yet" in page and "No agents yet" in page
    with application(seeded, readonly=True) as client:
        assert "Tuner" not in client.get("/").text


CONFIG = "method: random\nmetric: {name: loss}\nrun_cap: 2\nparameters: {x: {min: 0.0, max: 1.0}}\n"


@pytest.fixture
def server(database_url, tmp_path):
    """The whole server, for who has keys."""
    app = create_app(database_url, files=tmp_path / "files", auth=True)
    key = Keys(app.state.service.engine).add("ann", Role.WRITE, None, by=LOCAL)[1]
    with TestClient(app, base_url="http://127.0.0.1:8017", follow_redirects=False) as client:
        yield client, {"Authorization": f"Bearer {key}"}, key


def test_on_the_whole_server(server):
    client, bearer, key = server
    answer = client.get("/", headers={"accept": "text/html"})
    assert answer.status_code in {302, 303, 307} and answer.headers["location"].startswith("/login")
    assert client.get("/static/page.css").status_code == 200
    sweep = client.post("/api/v1/sweeps", json={"config": CONFIG, "project": "digits"}, headers=bearer).json()["sweep"]
    agent = client.post(f"/api/v1/sweeps/{sweep}/agents", json={"name": "w1"}, headers=bearer).json()["agent"]

    def talk(**told):
        return client.post(f"/api/v1/agents/{agent}/exchange", json=told, headers=bearer).json()["orders"]

    (order,) = talk()
    run = {"run": order["run"], "attempt": order["attempt"]}
    said = [{"is": "rows", **run, "first": 0, "rows": [{"loss": 0.25, "other": 7}]},
            {"is": "output", **run, "first": 0, "lines": [[1.0, "out", "hello"]]}]  # fmt: skip
    talk(holding=[run], said=said)
    assert client.post("/login", data={"key": key}).status_code == 303
    page = client.get(f"/sweeps/{sweep}").text
    assert "w1" in page and order["name"] in page and "0.25" in page and "Log out" in page and "Pause" in page
    page = client.get(f"/runs/{order['run']}").text
    assert "hello" in page and 'data-metric="other"' in page
    csrf = {"X-Luthier-CSRF": "1"}
    assert client.patch(f"/api/v1/sweeps/{sweep}", json={"state": "PAUSED"}).status_code == 403
    assert client.patch(f"/api/v1/sweeps/{sweep}", json={"state": "PAUSED"}, headers=csrf).status_code == 204
    assert "Resume" in client.get(f"/sweeps/{sweep}?part=head").text
    assert client.get("/sweeps/nope").status_code == 404
