"""The gate: who comes in, and what they may do; with an app of four routes behind it."""

from __future__ import annotations

import asyncio
import base64

import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from starlette.responses import StreamingResponse

from luthier.server import tables
from luthier.server.auth import entrance
from luthier.server.auth.caller import LOCAL, Role
from luthier.server.auth.gate import Gate
from luthier.server.auth.guard import guard
from luthier.server.auth.keys import COOKIE
from luthier.server.database import writing

HOME = "http://127.0.0.1:8017"


def make_app(engine, **options):
    gate = Gate(engine, **{"required": True, **options})
    app = FastAPI(dependencies=gate.everywhere, docs_url=None, redoc_url=None)
    guard(app, gate)

    @app.get("/")
    def home(request: Request) -> str:
        return gate.caller(request).name

    def look(request: Request) -> str:
        return "seen"

    for kind in ("sweep", "run", "agent", "project"):
        app.get(f"/api/v1/{kind}s/{{{kind}}}")(look)

    @app.post("/api/v1/sweeps/{sweep}/stop")
    def stop(sweep: str, request: Request) -> str:
        with writing(engine) as connection:
            gate.note(connection, request, "sweep.stop", sweep, {"why": "test"})
        return "stopped"

    @app.delete("/api/v1/projects/{project}", dependencies=[Depends(gate.administering)])
    def delete(project: str) -> str:
        return "deleted"

    @app.get("/api/v1/health")
    def health() -> str:
        return "ok"

    return app, gate


@pytest.fixture
def rows(engine):
    """Two projects, each with a sweep, a run and an agent."""
    with writing(engine) as connection:
        for number, name in ((1, "mine"), (2, "theirs")):
            connection.execute(tables.projects.insert(), {"id": number, "name": name, "created_at": 1.0})
            sweep = {"id": f"sweep-{name}", "project_id": number, "kind": "sweep", "name": "s", "config": "", "seed": 1}
            connection.execute(
                tables.sweeps.insert(), {**sweep, "state": "RUNNING", "created_at": 1.0, "updated_at": 1.0}
            )
            run = {"id": f"run-{name}", "sweep_id": f"sweep-{name}", "project_id": number, "number": 0, "name": "r"}
            connection.execute(tables.runs.insert(), {**run, "state": "running", "config": "{}", "created_at": 1.0})
            agent = {"id": f"agent-{name}", "sweep_id": f"sweep-{name}", "name": "a", "host": "h", "resources": "{}"}
            more = {"state": "here", "lease_s": 300.0, "joined_at": 1.0, "heartbeat_at": 1.0}
            connection.execute(tables.agents.insert(), {**agent, **more})


@pytest.fixture
def gated(engine, rows):
    app, gate = make_app(engine)
    with TestClient(app, base_url=HOME, follow_redirects=False) as client:
        client.app_state["gate"] = gate
        yield client


def gate_of(client):
    return client.app_state["gate"]


@pytest.fixture
def key(gated):
    def make(role="write", project_id=None, name="ann"):
        return gate_of(gated).keys.add(name, Role.of(role), project_id, by=LOCAL)[1]

    return make


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    "path", ["/", "/api/v1/sweeps/sweep-mine", "/api/v1/keys", "/openapi.json", "/nowhere", "/login/x"]
)
def test_nothing_without_a_key(gated, path):
    answer = gated.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert gated.get(path, headers={"accept": "text/html"}).headers["location"].startswith("/login?next=%2F")


def test_open_paths(gated):
    assert gated.get("/login").status_code == 200
    assert gated.get("/api/v1/health").json() == "ok"


FORGED = [
    "Bearer",
    "Bearer ",
    "Bearer x",
    f"Bearer luthier_{'0' * 40}",
    f"Bearer {'a' * 8000}",
    "Basic !!!",
    "Basic " + base64.b64encode(b"api").decode(),
    "Basic " + base64.b64encode(b"api:\xff").decode(),
    "Digest x",
    "Bearer luthier_' OR 1=1 --",
]


def test_forged(engine, rows):
    client = TestClient(make_app(engine, failure_rate=1e9)[0], base_url=HOME)
    for header in FORGED:
        assert client.get("/", headers={"Authorization": header}).status_code == 401, header


def test_all_ways_in(gated, key):
    one = key()
    assert gated.get("/", headers=bearer(one)).json() == "ann"
    assert gated.get("/", headers={"Authorization": f"bearer {one}"}).json() == "ann"
    assert gated.get("/", auth=("api", one)).json() == "ann"
    twice = [("Authorization", f"Bearer {one}"), ("Authorization", "Bearer other")]
    assert gated.get("/", headers=twice).status_code == 401


@pytest.mark.parametrize(
    ("role", "statuses"), [("read", (200, 403, 403)), ("write", (200, 200, 403)), ("admin", (200, 200, 200))]
)
def test_roles(gated, key, role, statuses):
    headers = bearer(key(role))
    seen = gated.get("/api/v1/sweeps/sweep-mine", headers=headers).status_code
    stopped = gated.post("/api/v1/sweeps/sweep-mine/stop", headers=headers).status_code
    assert (seen, stopped, gated.delete("/api/v1/projects/mine", headers=headers).status_code) == statuses
    assert gated.get("/api/v1/keys", headers=headers).status_code == statuses[2]
    assert gated.get("/api/v1/audit", headers=headers).status_code == statuses[2]


@pytest.mark.parametrize("kind", ["sweep", "run", "agent", "project"])
def test_another_projects_ids_are_as_if_not_there(gated, key, kind):
    headers = bearer(key("admin", project_id=1))
    name = "{}" if kind == "project" else f"{kind}-{{}}"
    mine, theirs, nobodys = (f"/api/v1/{kind}s/{name.format(whose)}" for whose in ("mine", "theirs", "nobodys"))
    for _ in range(2):  # what was looked up is remembered
        assert gated.get(mine, headers=headers).json() == "seen"
        refused, missing = gated.get(theirs, headers=headers), gated.get(nobodys, headers=headers)
        assert (refused.status_code, refused.content) == (missing.status_code, missing.content)
        assert refused.status_code == 404
    assert gated.get(theirs, headers=bearer(key("read", name="all"))).json() == "seen"


def test_to_change_another_projects(gated, key):
    headers = bearer(key("write", project_id=1))
    assert gated.post("/api/v1/sweeps/sweep-theirs/stop", headers=headers).status_code == 404
    assert gated.post("/api/v1/sweeps/sweep-mine/stop", headers=headers).status_code == 200
    assert gated.get("/api/v1/sweeps/%00", headers=headers).status_code == 404


def test_a_projects_admin_makes_and_sees_its_keys_alone(gated, key):
    key("read", name="everywhere")
    headers = bearer(key("admin", project_id=1, name="chief"))
    made = gated.post("/api/v1/keys", json={"name": "agent", "role": "write", "project": "mine"}, headers=headers)
    assert made.status_code == 201
    assert gated.get("/", headers=bearer(made.json()["key"])).json() == "agent"
    for wanted, status in (("theirs", 404), (None, 403), ("nobodys", 404), ("\x00", 404)):
        asked = gated.post("/api/v1/keys", json={"name": "x", "project": wanted}, headers=headers)
        assert asked.status_code == status, wanted
    assert {row["name"] for row in gated.get("/api/v1/keys", headers=headers).json()} == {"chief", "agent"}
    everywhere = next(row["id"] for row in gate_of(gated).keys.listed() if row["name"] == "everywhere")
    assert gated.delete(f"/api/v1/keys/{everywhere}", headers=headers).status_code == 404
    assert gated.get("/api/v1/audit", headers=headers).status_code == 403


def test_a_key_is_revoked_at_once_here_and_soon_elsewhere(gated, engine, key):
    admin, one = bearer(key("admin", name="root")), key()
    other_app, other = make_app(engine)
    now = [100.0]
    other.keys._clock = lambda: now[0]
    with TestClient(other_app, base_url=HOME) as elsewhere:
        assert elsewhere.get("/", headers=bearer(one)).status_code == 200
        assert gated.get("/", headers=bearer(one)).status_code == 200
        found = next(row["id"] for row in gated.get("/api/v1/keys", headers=admin).json() if row["name"] == "ann")
        assert gated.delete(f"/api/v1/keys/{found}", headers=admin).status_code == 204
        assert gated.get("/", headers=bearer(one)).status_code == 401
        now[0] += 2.5
        assert elsewhere.get("/", headers=bearer(one)).status_code == 401
    assert gated.delete(f"/api/v1/keys/{found}", headers=admin).status_code == 404


def test_what_is_stored_opens_nothing(gated, engine, key):
    one = key()
    with engine.connect() as connection:
        stored = connection.execute(tables.keys.select()).mappings().one()
    assert one not in str(dict(stored))
    assert gated.get("/", headers=bearer(stored["hash"])).status_code == 401
    assert gated.get("/", headers=bearer("luthier_" + stored["hash"][:40])).status_code == 401


def log_in(client, key, **headers):
    return client.post("/login", data={"key": key, "next": "/sweeps/x?tab=1"}, headers=headers)


def test_a_browser(gated, key):
    one = key()
    answer = log_in(gated, one, origin=HOME)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sweeps/x?tab=1")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    assert one not in cookie
    assert gated.get("/").json() == "ann"
    stop = "/api/v1/sweeps/sweep-mine/stop"
    assert gated.post(stop).status_code == 403
    assert gated.post(stop, headers={"X-Luthier-CSRF": "1"}).status_code == 200
    assert gated.post(stop, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert gated.post(stop, headers={"Origin": HOME}).status_code == 200
    for origin in ("null", "http://evil.example", "http://127.0.0.1:9", "", "http://127.0.0.1:8017.evil.example", "x"):
        forged = {"Origin": origin, "X-Luthier-CSRF": "1"}
        assert gated.post(stop, headers=forged).status_code == 403, origin
    assert gated.post(stop, headers={"Sec-Fetch-Site": "same-site"}).status_code == 403
    token = gated.cookies[COOKIE]
    assert gated.post("/logout", headers={"Origin": HOME}).status_code == 303
    assert gated.get("/", headers={"Cookie": f"{COOKIE}={token}"}).status_code == 401
    assert gated.get("/", headers=bearer(one)).status_code == 200


def test_a_session_is_no_key_and_a_key_no_session(gated, key):
    one = key()
    log_in(gated, one)
    token = gated.cookies.get(COOKIE)
    gated.cookies.clear()
    assert gated.get("/", headers=bearer(token)).status_code == 401
    assert log_in(gated, token).status_code == 401
    assert gated.get("/", headers={"Cookie": f"{COOKIE}={one}"}).status_code == 401


def test_a_session_ends_with_its_key_and_with_time(gated, key):
    one = key()
    log_in(gated, one)
    keys = gate_of(gated).keys
    later = keys._clock() + 8 * 86400
    assert gated.get("/").status_code == 200
    keys._clock = lambda: later
    assert gated.get("/").status_code == 401
    log_in(gated, one)
    assert gated.get("/").status_code == 200
    keys.revoke(keys.listed()[0]["id"], by=LOCAL)
    assert gated.get("/").status_code == 401


def test_a_login_leads_nowhere_else(gated, key):
    one = key()
    for there in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\n/x", ""):
        answer = gated.post("/login", data={"key": one, "next": there})
        assert answer.headers["location"] == "/", there


def test_a_login_page_does_not_echo(gated):
    page = gated.get("/login", params={"next": '/"><script>alert(1)</script>'}).text
    assert "<script>" not in page


def test_failures_are_slowed_but_keep_nobody_out_who_is_in(gated, key):
    one, new = key(), key(name="new")
    assert gated.get("/", headers=bearer(one)).status_code == 200
    statuses = [gated.get("/", headers=bearer(f"luthier_{n:040x}")).status_code for n in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    answer = log_in(gated, "luthier_wrong")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    assert gated.get("/", headers=bearer(new)).status_code == 429
    assert gated.get("/", headers=bearer(one)).status_code == 200
    gate_of(gated).keys._clock = lambda: 10.0**10  # what is remembered is looked up anew
    assert gated.get("/", headers=bearer(one)).status_code == 200


def test_a_key_makes_only_so_many_requests(engine, rows):
    app, gate = make_app(engine, key_rate=0.5)
    one, other = (gate.keys.add(name, Role.READ, by=LOCAL)[1] for name in ("a", "b"))
    client = TestClient(app, base_url=HOME)
    assert client.get("/", headers=bearer(one)).status_code == 200
    refused = client.get("/", headers=bearer(one))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
    assert client.get("/", headers=bearer(other)).status_code == 200


def test_changes_are_audited_without_secrets(gated, key):
    admin = bearer(key("admin", name="root"))
    made = gated.post("/api/v1/keys", json={"name": "agent"}, headers=admin).json()
    gated.post("/api/v1/sweeps/sweep-mine/stop", headers=bearer(made["key"]))
    gated.delete(f"/api/v1/keys/{made['id']}", headers=admin)
    rows = gated.get("/api/v1/audit", headers=admin).json()
    assert [(row["who"], row["action"]) for row in rows] == [
        ("root", "key.revoke"),
        ("agent", "sweep.stop"),
        ("root", "key.create"),
        ("local", "key.create"),
    ]
    assert rows[1]["detail"] == {"why": "test"}
    assert made["key"] not in str(rows)
    assert [
        row["id"] for row in gated.get("/api/v1/audit", params={"before": rows[1]["id"]}, headers=admin).json()
    ] == [row["id"] for row in rows[2:]]


@pytest.fixture
def local(engine, rows):
    app, _ = make_app(engine, required=False)
    return TestClient(app, base_url=HOME, follow_redirects=False)


def test_without_keys_all_are_local(local):
    assert local.get("/").json() == "local"
    assert local.get("/", auth=("api", "x" * 40)).json() == "local"
    assert local.post("/api/v1/sweeps/sweep-mine/stop").status_code == 200
    assert local.get("/login").headers["location"] == "/"


def test_without_keys_only_the_loopbacks_names(local):
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        "",
        "127.0.0.1/x",
        "evil.example@127.0.0.1",
        "[::1",
        "0.0.0.0",
    ):
        assert local.get("/", headers={"Host": host}).status_code == 421, host


def test_names_of_the_loopback(local):
    for host in ("localhost", "localhost:8017", "127.0.0.1", "[::1]:8017", "LOCALHOST"):
        assert local.get("/", headers={"Host": host}).status_code == 200, host


def test_without_keys_pages_of_other_sites_change_nothing(local):
    stop = "/api/v1/sweeps/sweep-mine/stop"
    assert local.post(stop, headers={"Origin": "http://evil.example"}).status_code == 403
    assert local.post(stop, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert local.post(stop, headers={"Origin": HOME, "Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_a_host_header_opens_no_path(gated):
    # Put together with the path, these would make /login or a static file of it.
    for host in ("127.0.0.1/login?", "127.0.0.1/login#", "127.0.0.1/static/"):
        assert gated.get("/api/v1/keys", headers={"Host": host}).status_code == 401
    assert gated.get("/static/../api/v1/keys").status_code == 401


def test_a_stream_ends_with_its_key(engine, rows, monkeypatch):
    app, gate = make_app(engine)
    key_id, one = gate.keys.add("ann", Role.READ, by=LOCAL)
    monkeypatch.setattr(entrance, "LOOK_S", 0.0)

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def events():
            while True:
                yield "data: x\n\n"
                await asyncio.sleep(0)

        return StreamingResponse(events(), media_type="text/event-stream")

    sent = []

    async def receive():
        await asyncio.sleep(3600)

    async def send(message):
        sent.append(message)
        if len(sent) == 5:
            await asyncio.to_thread(gate.keys.revoke, key_id, by=LOCAL)
        assert len(sent) < 10

    headers = [(b"authorization", f"Bearer {one}".encode()), (b"host", b"127.0.0.1")]
    scope = {"type": "http", "method": "GET", "path": "/stream", "headers": headers, "query_string": b""}
    asyncio.run(
        app({**scope, "scheme": "http", "client": ("127.0.0.1", 1), "asgi": {"spec_version": "2.3"}}, receive, send)
    )
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
