"""What strangers send: to the whole application, with keys; nothing of it comes in, and nothing breaks."""

from __future__ import annotations

import itertools
import json

import pytest
from fastapi.testclient import TestClient

from luthier.server import tables
from luthier.server.app import create_app
from luthier.server.auth.caller import LOCAL, Role
from luthier.server.auth.keys import Keys
from luthier.server.backup import _count_on
from luthier.server.database import writing
from tests.server.seeded import EVIL, Seeded

MINE, THEIRS, MISSING = "minesw01", "theirsw1", "nobodys1"
OPEN = {"/api/v1/health", "/login"}
BILLION = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(12)
)


@pytest.fixture
def world(engine, database_url, tmp_path):
    """The application with two projects of one sweep each, and keys to them."""
    seeded = Seeded(engine)
    ids = {}
    for number, (project, sweep) in enumerate((("mine", MINE), ("theirs", THEIRS)), 1):
        seeded.project(project, number)
        ids[sweep] = seeded.sweep(sweep, runs=4, project=number)
    keys = Keys(engine)
    made = {
        (role, project): keys.add(f"{role} {project}", Role.of(role), project, by=LOCAL)[1]
        for role in ("read", "write", "admin")
        for project in (None, 1)
    }
    with writing(engine) as connection:
        _count_on(connection, tables.projects)
    app = create_app(database_url, files=tmp_path / "files", auth=True)
    with TestClient(app, base_url="http://127.0.0.1:8017", raise_server_exceptions=True) as client:
        yield client, made, ids


def operations(client, key):
    """Return method and path of all that the application offers: what its description tells, and its pages."""
    told = client.get("/openapi.json", headers=bearer(key)).json()
    found = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    pages = ("/", "/projects/{project}", "/sweeps/{sweep}", "/runs/{run}", "/compare", "/us/{project}/sweeps")
    found.update(("GET", path) for path in pages)
    return sorted(found)


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def addressed(path, sweep, run, agent, project):
    filled = path.replace("{sweep}", sweep).replace("{run}", run).replace("{agent}", agent)
    filled = filled.replace("{project}", project).replace("{key}", "nobodys").replace("{path}", "a.txt")
    return filled.replace("{name}", "curves")


def body_for(method, path):
    """Return a body with which the request would do something, where its path is there."""
    if path.endswith("/agents"):
        return {"name": "w"}
    if method == "PATCH":
        return {"state": "PAUSED"}
    return {} if method in {"POST", "PUT"} else None


def test_nothing_is_open(world):
    client, made, ids = world
    offered = operations(client, made["admin", None])
    assert len(offered) > 20
    for method, path in offered:
        filled = addressed(path, MINE, ids[MINE][0], f"{MINE}-a0", "mine")
        for headers in ({}, bearer("luthier_" + "0" * 40), {"Authorization": "Basic YXBpOg=="}):
            status = client.request(method, filled, headers=headers).status_code
            assert status in ({200} if path in OPEN else {401, 429}), (method, path)


def test_who_may_read_changes_nothing(world):
    client, made, ids = world
    for method, path in operations(client, made["admin", None]):
        if method == "GET":
            continue
        filled = addressed(path, MINE, ids[MINE][0], f"{MINE}-a0", "mine")
        for project in (None, 1):
            refused = client.request(method, filled, json=body_for(method, path), headers=bearer(made["read", project]))
            assert refused.status_code == 403, (method, path)


def test_another_projects_ids_cannot_be_told_from_none(world):
    client, made, ids = world
    headers = bearer(made["admin", 1])
    agents = [
        row["id"] for row in client.get(f"/api/v1/sweeps/{THEIRS}/agents", headers=bearer(made["read", None])).json()
    ]
    assert agents
    for method, path in operations(client, made["admin", None]):
        if not any(name in path for name in ("{sweep}", "{run}", "{agent}", "{project}")):
            continue
        theirs = addressed(path, THEIRS, ids[THEIRS][0], agents[0], "theirs")
        missing = addressed(path, MISSING, f"{MISSING}-0", "nobody", "nobodys")
        found = [client.request(method, p, json=body_for(method, path), headers=headers) for p in (theirs, missing)]
        told = [
            (f.status_code, f.text.replace(p, "").replace(THEIRS, MISSING).replace("theirs", "nobodys"))
            for f, p in zip(found, (theirs, missing), strict=True)
        ]
        assert told[0] == told[1], (method, path)
        assert told[0][0] == 404, (method, path)


def test_lists_hold_only_what_the_key_sees(world):
    client, made, ids = world
    headers = bearer(made["read", 1])
    for path in ("/api/v1/projects", "/api/v1/sweeps", f"/api/v1/sweeps/{MINE}/runs"):
        text = client.get(path, headers=headers).text
        assert "mine" in text or MINE in text
        assert "theirs" not in text, path
        assert THEIRS not in text, path
    for chosen in ([ids[THEIRS][0]], [ids[MINE][0], ids[THEIRS][0]]):
        compared = client.get("/api/v1/compare", params={"runs": chosen}, headers=headers)
        assert compared.status_code == 404
        assert '"metrics"' not in compared.text
    asked = client.get("/api/v1/sweeps", params={"project": "theirs"}, headers=headers)
    missing = client.get("/api/v1/sweeps", params={"project": "nobodys"}, headers=headers)
    assert asked.status_code == missing.status_code
    assert asked.text.replace("theirs", "") == missing.text.replace("nobodys", "")


def test_a_sweep_is_not_made_in_another_project(world):
    client, made, _ = world
    config = "method: random\nrun_cap: 1\nparameters: {x: {min: 0.0, max: 1.0}}\n"
    headers = bearer(made["write", 1])
    for project in ("theirs", "a-new-one"):
        for wish in ({"config": config, "project": project}, {"config": f"project: {project}\n{config}"}):
            assert client.post("/api/v1/sweeps", json=wish, headers=headers).status_code == 404
    made_at_home = client.post("/api/v1/sweeps", json={"config": config}, headers=headers)  # where the key belongs
    assert (made_at_home.status_code, made_at_home.json()["project"]) == (201, "mine")
    assert client.post("/api/v1/sweeps", json={"config": config, "project": "mine"}, headers=headers).status_code == 201
    names = {row["name"] for row in client.get("/api/v1/projects", headers=bearer(made["read", None])).json()}
    assert names == {"mine", "theirs"}


ODD = [
    "%00", "..%2f..%2fetc%2fpasswd", "%2e%2e", "'%20OR%201=1--", "%ff%fe", "a" * 5000, "%F0%9F%92%A9",
    "%0d%0aX:", "{sweep}", "-1", "9" * 40, "%3Cscript%3E", "\u202e", ";", "*", "%2500", "a%00b",
]  # fmt: skip


def test_odd_ids_are_not_there(world):
    client, made, _ = world
    offered = [(method, path) for method, path in operations(client, made["admin", None]) if "{" in path]
    for odd, key in itertools.product(ODD, (made["admin", None], made["admin", 1])):
        for method, path in offered:
            filled = addressed(path, odd, odd, odd, odd).replace("nobodys", odd).replace("a.txt", odd)
            answer = client.request(method, filled, json=body_for(method, path), headers=bearer(key))
            assert answer.status_code in {404, 405, 422, 400}, (method, filled[:200], answer.text[:200])


PATHS = ["../key", "a/../../b", "%2e%2e/x", "a//b", "/etc/passwd", "a\\b", "a%00b", "x" * 300, "a/%2e%2e/b", "%0a"]


def test_files_stay_in_their_place(world, tmp_path):
    client, made, ids = world
    headers = bearer(made["write", None])
    url = f"/api/v1/runs/{ids[MINE][0]}/files/"
    before = {p for p in tmp_path.rglob("*") if p.is_file() and "server.db" not in p.name}
    for path in PATHS:  # with dots that the client does not tidy away
        answer = client.put(url + path.replace("..", "%2e%2e"), content=b"x", headers=headers)
        assert answer.status_code in {404, 422}, (path, answer.text)
    assert {p for p in tmp_path.rglob("*") if p.is_file() and "server.db" not in p.name} == before


BODIES = {
    "nothing": b"",
    "no json": b"{",
    "a list": b"[]",
    "null": b"null",
    "a number": b"1e999",
    "deep": b'{"config":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "no utf-8": b'{"config": "\xff\xfe"}',
    "a surrogate": b'{"config": "\\ud800", "name": "\\ud800", "state": "\\ud800"}',
    "a nul": b'{"config": "a: \\u0000", "name": "a\\u0000", "state": "\\u0000", "project": "\\u0000"}',
    "a nul that is held": b'{"name": "w", "host": "\\u0000", "holding": [{"run": "\\u0000", "attempt": 1}]}',
    "a billion laughs": json.dumps({"config": BILLION}).encode(),
    "a tag": json.dumps({"config": "!!python/object/apply:os.system ['touch /tmp/luthier-owned']"}).encode(),
    "itself": json.dumps({"config": "&a [*a]"}).encode(),
    "endless numbers": json.dumps({"name": "w", "pid": 10**30, "count": 10**30, "resources": {"slot": 1e308}}).encode(),
    "nan": b'{"name": "w", "resources": {"slot": NaN}, "lease_s": NaN, "wait_s": NaN}',
    "minus": b'{"name": "w", "resources": {"slot": -5}, "lease_s": -5, "wait_s": -5, "count": -5}',
    "a pickle": b'{"name": "w", "config": {"x": {"$": "pickle", "v": "gASVIQAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOU"}}}',
    "script": json.dumps({"config": f"name: {json.dumps(EVIL)}\nmethod: random\n", "name": EVIL}).encode(),
}  # fmt: skip


def test_bodies(world):
    client, made, ids = world
    headers = {**bearer(made["admin", None]), "content-type": "application/json"}
    offered = [
        (method, path) for method, path in operations(client, made["admin", None]) if method in {"POST", "PATCH"}
    ]
    assert len(offered) > 5
    wrong = []
    for (method, path), name in itertools.product(offered, BODIES):
        filled = addressed(path, MINE, ids[MINE][0], f"{MINE}-a0", "mine")
        try:
            answer = client.request(method, filled, content=BODIES[name], headers=headers)
            if answer.status_code >= 500:
                wrong.append((method, path, name, answer.status_code, answer.text[:300]))
        except Exception as error:
            wrong.append((method, path, name, type(error).__name__, str(error)[:300]))
    assert wrong == []


def test_huge_bodies(world):
    client, made, _ = world
    headers = bearer(made["admin", None])

    for path in ("/api/v1/sweeps", f"/api/v1/sweeps/{MINE}/agents", "/api/v1/keys", "/login"):
        assert client.post(path, content=iter([b"x" * 100_000] * 110), headers=headers).status_code == 413
        said = {**headers, "content-length": str(10**12)}
        assert client.post(path, content=b"x", headers=said).status_code == 413


HEADERS: list[dict[str, str]] = [
    {"X-Forwarded-User": "admin"},
    {"X-Original-URL": "/login"},
    {"X-HTTP-Method-Override": "GET"},
    {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"},
    {"Host": "127.0.0.1/login?"},
    {"Cookie": "luthier_session=" + "a" * 4000},
    {"Cookie": "luthier_session=luthier_" + "0" * 40},
    {"Cookie": "; ; =; luthier_session"},
    {"Authorization": "Bearer luthier_" + "0" * 40 + "\t"},
    {"Authorization": "Bearer " + "ü" * 40},
    {"Transfer-Encoding": "chunked, identity"},
    {"Content-Type": "text/plain"},
    {"Accept": "text/html"},
]


def test_headers_open_nothing(world):
    client, _, _ = world
    asked = (("GET", "/api/v1/keys"), ("POST", "/api/v1/keys"), ("GET", "/"))
    for headers, (method, path) in itertools.product(HEADERS, asked):
        raw = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = client.request(method, path, headers=raw, follow_redirects=False)
        assert answer.status_code in {401, 303, 429}, (headers, answer.text)


def test_script_in_names_comes_back_as_text(world):
    client, made, _ = world
    headers = bearer(made["admin", None])
    client.post("/api/v1/keys", json={"name": EVIL[:100]}, headers=headers)
    answer = client.get("/api/v1/keys", headers=headers)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert EVIL[:100] in {row["name"] for row in answer.json()}
