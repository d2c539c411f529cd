"""The server over HTTP: what it answers to agents and to people."""

from __future__ import annotations

import asyncio
import os
import resource
import threading
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from luthier.core.errors import MissingLibrary
from luthier.server.app import create_app
from luthier.server.auth.caller import LOCAL, Role
from luthier.server.auth.keys import Keys
from luthier.server.database import writing
from luthier.server.sweeping import project_id

RANDOM = "method: random\nmetric: {name: loss}\nrun_cap: 2\nparameters: {x: {min: 0.0, max: 1.0}}\n"


@pytest.fixture
def client(database_url, tmp_path):
    app = create_app(database_url, files=tmp_path / "files")
    with TestClient(app, base_url="http://127.0.0.1:8017") as found:
        yield found


def made(client, config=RANDOM, **more):
    reply = client.post("/api/v1/sweeps", json={"config": config, **more})
    assert reply.status_code == 201, reply.text
    return reply.json()["sweep"]


def joined(client, sweep, **more):
    reply = client.post(f"/api/v1/sweeps/{sweep}/agents", json={"name": "w", **more})
    assert reply.status_code == 201, reply.text
    return reply.json()["agent"]


def talk(client, agent, **told):
    reply = client.post(f"/api/v1/agents/{agent}/exchange", json=told)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_a_sweep_from_its_making_to_its_end(client):
    sweep = made(client, project="digits")
    agent = joined(client, sweep)
    (order,) = talk(client, agent)["orders"]
    run = {"run": order["run"], "attempt": order["attempt"]}
    rows = [{"loss": 0.5, "worst": {"$": "float", "v": "nan"}}]
    told = [
        {"is": "started", **run, "at": 1.0},
        {"is": "rows", **run, "first": 0, "rows": rows},
        {"is": "output", **run, "first": 0, "lines": [[1.0, "out", "hello\x00"]]},
        {"is": "summary", **run, "values": {"note": "good"}},
    ]
    assert talk(client, agent, holding=[run], said=told)["orders"] == []
    (second,) = talk(client, agent, said=[{"is": "exited", **run, "outcome": "finished", "code": 0}])["orders"]
    again = {"run": second["run"], "attempt": second["attempt"]}
    reply = talk(client, agent, said=[{"is": "exited", **again, "outcome": "failed", "code": 3, "error": "no"}])
    assert (reply["orders"], reply["exit"]) == ([], "the sweep is at its end")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("method: psychic\nparameters: {x: {value: 1}}\n", "method"),
        ("parameters: {x: {min: 1, max: 0}}\nmethod: random\n", "max"),
        ("just words", "mapping"),
        ("a: [1, 2", "line"),
        ("", "empty"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_with_what_would_do(client, config, says):
    reply = client.post("/api/v1/sweeps", json={"config": config})
    assert reply.status_code == 422
    assert says in reply.json()["detail"]


def test_what_there_is_not_is_not_found(client):
    for method, path in [
        ("PATCH", "/api/v1/sweeps/nothere1"),
        ("DELETE", "/api/v1/sweeps/nothere1"),
        ("POST", "/api/v1/sweeps/nothere1/agents"),
        ("POST", "/api/v1/agents/nobody/exchange"),
        ("POST", "/api/v1/agents/nobody/leave"),
        ("POST", "/api/v1/runs/none/stop"),
        ("GET", "/api/v1/runs/none/files"),
        ("GET", "/api/v1/runs/none/files/a"),
        ("PUT", "/api/v1/runs/none/files/a"),
    ]:
        body = {"state": "PAUSED", "name": "w"} if method in {"PATCH", "POST"} else None
        reply = client.request(method, path, json=body)
        assert reply.status_code == 404, (method, path, reply.text)
        assert reply.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"said": [{"is": "magic"}]}', b'{"wait_s": "long"}', b'{"said": [{"is": "rows"}]}', b"\xff"],
)
def test_what_is_no_exchange_is_refused(client, body):
    agent = joined(client, made(client))
    reply = client.post(f"/api/v1/agents/{agent}/exchange", content=body)
    assert reply.status_code == 422 and "openapi" in reply.json()["detail"]
    assert talk(client, agent)["orders"], "the agent still gets its run"


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"count": 0}, "count"),
        ({"resources": {"slot": 0}}, "slot"),
        ({"resources": {"slot": 1.5}}, "slot"),
        ({"resources": {"gpu": -1}}, "gpu"),
    ],
)
def test_an_agent_that_offers_what_cannot_be_is_refused(client, wish, says):
    reply = client.post(f"/api/v1/sweeps/{made(client)}/agents", json={"name": "w", **wish})
    assert reply.status_code == 422 and says in reply.json()["detail"]


def test_who_waits_is_woken_when_there_is_something_to_do(client):
    """An idle agent gets the run of one that left, in one trip and without a tick."""
    sweep = made(client, RANDOM.replace("run_cap: 2", "run_cap: 1"))
    first, second = joined(client, sweep), joined(client, sweep)
    (order,) = talk(client, first)["orders"]
    found = {}

    def wait():
        start = time.monotonic()
        found["reply"] = talk(client, second, wait_s=20.0)
        found["took"] = time.monotonic() - start

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.3)
    assert client.post(f"/api/v1/agents/{first}/leave").status_code == 204
    waiting.join(15)
    assert [(o["run"], o["attempt"]) for o in found["reply"]["orders"]] == [(order["run"], 2)]
    assert 0.2 < found["took"] < 10


def test_a_wait_that_brings_nothing_ends_after_its_time(client):
    sweep = made(client, RANDOM.replace("run_cap: 2", "run_cap: 1"))
    first, second = joined(client, sweep), joined(client, sweep)
    talk(client, first)
    start = time.monotonic()
    assert talk(client, second, wait_s=0.4) == {"orders": [], "accepted": 0, "heartbeat_s": 1.0, "exit": None}
    assert time.monotonic() - start >= 0.4


def test_a_silent_agent_loses_its_run_after_its_lease(client):
    sweep = made(client, RANDOM.replace("run_cap: 2", "run_cap: 1"))
    silent, other = joined(client, sweep, lease_s=1.0), joined(client, sweep)
    (order,) = talk(client, silent)["orders"]
    (given,) = talk(client, other, wait_s=20.0)["orders"]
    assert (given["run"], given["attempt"]) == (order["run"], 2)
    held = [{"run": order["run"], "attempt": 1}]
    (halt,) = talk(client, silent, holding=held)["orders"]
    assert (halt["is"], halt["run"], halt["attempt"]) == ("halt", order["run"], 1)


def test_a_sweep_is_paused_goes_on_and_is_deleted(client):
    sweep = made(client)
    assert client.patch(f"/api/v1/sweeps/{sweep}", json={"state": "PAUSED"}).status_code == 204
    agent = joined(client, sweep)
    assert talk(client, agent)["orders"] == []
    assert client.get(f"/api/v1/sweeps/{sweep}").json()["reason"] == "paused by local"
    assert client.patch(f"/api/v1/sweeps/{sweep}", json={"state": "RUNNING"}).status_code == 204
    assert len(talk(client, agent)["orders"]) == 1

    def offered():
        return [
            word for word in ("Pause", "Resume", "Stop", "Cancel") if f">{word}<" in client.get(f"/sweeps/{sweep}").text
        ]

    assert offered() == ["Pause", "Stop", "Cancel"]
    assert client.patch(f"/api/v1/sweeps/{sweep}", json={"state": "FINISHED"}).status_code == 204
    assert offered() == ["Resume", "Cancel"], "its runs come to their ends"
    assert "stopped by local" in client.get(f"/sweeps/{sweep}").text
    reply = client.patch(f"/api/v1/sweeps/{sweep}", json={"state": "ASLEEP"})
    assert reply.status_code == 422 and "PAUSED" in reply.json()["detail"]
    assert client.delete(f"/api/v1/sweeps/{sweep}").status_code == 204
    assert client.post(f"/api/v1/agents/{agent}/exchange", json={}).status_code == 404


def test_a_slow_disk_keeps_no_other_request_waiting(tmp_path, monkeypatch):
    from luthier.server import shelf

    loops = []
    monkeypatch.setattr(os, "fsync", lambda _file: loops.append(asyncio._get_running_loop()))

    async def chunks():
        yield b"x"

    stored = asyncio.run(shelf.Shelf(tmp_path).put(chunks()))
    assert shelf.Shelf(tmp_path).place(stored.sha256).read_bytes() == b"x"
    assert loops == [None], "the event loop waited for the disk"


def test_a_file_that_there_is_no_room_for_is_refused_and_leaves_nothing(client, tmp_path):
    (order,) = talk(client, joined(client, made(client)))["orders"]
    path = f"/api/v1/runs/{order['run']}/files/model.bin"
    assert client.put(path, content=b"small").status_code == 200
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, before[1]))  # as a quota
    try:
        reply = client.put(path, content=bytes(9 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert reply.status_code == 507
    assert reply.json()["detail"] == "the server has no room for it (file too large); nothing of it was kept"
    assert client.get(path).content == b"small"
    assert len([found for found in (tmp_path / "files").rglob("*") if found.is_file()]) == 1


def test_files_are_kept_under_their_names(client):
    sweep = made(client)
    (order,) = talk(client, joined(client, sweep))["orders"]
    base = f"/api/v1/runs/{order['run']}/files"
    for content in (b"one", b"two" * 100_000):
        reply = client.put(f"{base}/checkpoints/1-0.zip", content=content)
        assert (reply.status_code, reply.json()["size"]) == (200, len(content))
    assert [(f["path"], f["size"]) for f in client.get(base).json()] == [("checkpoints/1-0.zip", 300_000)]
    assert client.get(f"{base}/checkpoints/1-0.zip").content == b"two" * 100_000
    assert client.get(f"{base}/checkpoints/other.zip").status_code == 404


@pytest.mark.parametrize("path", ["..%2F..%2Fetc%2Fpasswd", "a%2F%2Fb", "a%5Cb", "%2Fetc%2Fpasswd", "a%00b", "x" * 300])
def test_paths_that_lead_elsewhere_are_refused(client, path):
    (order,) = talk(client, joined(client, made(client)))["orders"]
    reply = client.put(f"/api/v1/runs/{order['run']}/files/{path}", content=b"x")
    assert reply.status_code in {404, 422}
    assert client.get(f"/api/v1/runs/{order['run']}/files").json() == []


def test_a_server_that_starts_anew_knows_all_that_was(database_url, tmp_path):
    app = create_app(database_url, files=tmp_path / "files")
    with TestClient(app, base_url="http://127.0.0.1") as client:
        agent = joined(client, made(client))
        (order,) = talk(client, agent)["orders"]
    app = create_app(database_url, files=tmp_path / "files")
    with TestClient(app, base_url="http://127.0.0.1") as client:
        held = {"run": order["run"], "attempt": 1}
        assert talk(client, agent, holding=[held])["orders"] == []
        (second,) = talk(client, agent, said=[{"is": "exited", **held, "outcome": "finished"}])["orders"]
        assert second["run"] != order["run"]


def test_changes_are_in_the_audit(client):
    sweep = made(client)
    client.patch(f"/api/v1/sweeps/{sweep}", json={"state": "CANCELED"})
    found = [(row["who"], row["action"], row["target"]) for row in client.get("/api/v1/audit").json()]
    assert found[:2] == [("local", "sweep.change", sweep), ("local", "sweep.create", sweep)]


def test_two_servers_on_one_database_give_no_run_twice(database_url, tmp_path):
    apps = [create_app(database_url, files=tmp_path / "files") for _ in range(2)]
    with TestClient(apps[0], base_url="http://127.0.0.1") as a, TestClient(apps[1], base_url="http://127.0.0.1") as b:
        sweep = made(a, RANDOM.replace("run_cap: 2", "run_cap: 30"))
        begun: list[str] = []
        lock = threading.Lock()

        def work(client):
            agent = joined(client, sweep)
            held: list[dict[str, Any]] = []
            while True:
                reply = talk(client, agent, said=[{"is": "exited", **run, "outcome": "finished"} for run in held])
                held = [{"run": o["run"], "attempt": o["attempt"]} for o in reply["orders"]]
                with lock:
                    begun.extend(run["run"] for run in held)
                if reply["exit"]:
                    return

        threads = [threading.Thread(target=work, args=(client,)) for client in (a, b, a, b)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(begun) == len(set(begun)) == 30


def test_bells_ring_only_for_who_waits():
    from luthier.server.bells import Bells

    async def story():
        bells = Bells()
        bells.ring(["a"])  # before anybody waits: nothing happens
        bell = bells.hang("a")
        bells.ring(["a", "b"])
        await asyncio.wait_for(bell.wait(), 5)
        bells.take_down("a")
        assert bells.waiting() == []

    asyncio.run(story())


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("method: grid\nparameters: {x: {values: [1, 2]}}\n", 4),
        ("method: random\nnum_samples: 3\nparameters: {x: {min: 0.0, max: 1.0}}\n", 6),
        ("method: tpe\nnum_samples: 2\nparameters: {x: {min: 0.0, max: 1.0}}\n", 4),
    ],
)
def test_each_config_is_repeated_whoever_searches(client, config, expected):
    sweep = made(client, config + "repeats: 2\nmetric: {name: loss}\n")
    assert client.get(f"/api/v1/sweeps/{sweep}").json()["expected"] == expected
    agent, found = joined(client, sweep), []
    said: list[dict[str, Any]] = []
    while orders := talk(client, agent, said=said)["orders"]:
        (order,) = orders
        if order["is"] != "run":
            break
        found.append(order["params"])
        run = {"run": order["run"], "attempt": order["attempt"]}
        said = [
            {"is": "started", **run, "at": 1.0},
            {"is": "rows", **run, "first": 0, "rows": [{"loss": 0.5}]},
            {"is": "exited", **run, "outcome": "finished", "code": 0},
        ]
    assert len(found) == expected
    assert [config["x"] for config in found[::2]] == [config["x"] for config in found[1::2]]


def test_zoopt_takes_the_number_of_runs_for_its_budget(client):
    zoopt = "method: zoopt\nmetric: {name: loss}\nparameters: {x: {min: 0.0, max: 1.0}}\n"
    made(client, zoopt + "run_cap: 3\n")
    reply = client.post("/api/v1/sweeps", json={"config": zoopt})
    assert reply.status_code == 422 and "num_samples" in reply.json()["detail"]


def test_what_needs_a_library_is_refused_at_once(client, monkeypatch):
    def missing(*_, **__):
        raise MissingLibrary("TPESearch", "its library", "tpe")

    monkeypatch.setattr("luthier.server.planning.create_searcher", missing)
    reply = client.post("/api/v1/sweeps", json={"config": RANDOM.replace("random", "tpe")})
    assert reply.status_code == 422 and "pip install" in reply.json()["detail"]


def test_what_names_no_project_belongs_to_the_keys_own(engine, database_url, tmp_path):
    with writing(engine) as connection:
        digits = project_id(connection, "digits", 1.0)
    _, key = Keys(engine).add("bob", Role.WRITE, digits, by=LOCAL)
    with TestClient(create_app(database_url, files=tmp_path / "files", auth=True)) as client:
        headers = {"Authorization": f"Bearer {key}"}
        for path, wish in (("sweeps", {"config": RANDOM}), ("experiments", {"name": "mine"})):
            reply = client.post(f"/api/v1/{path}", json=wish, headers=headers)
            assert reply.status_code == 201, reply.text
            assert reply.json()["project"] == "digits"
            assert client.post(f"/api/v1/{path}", json={**wish, "project": "x"}, headers=headers).status_code == 404


def huge(place):
    """Return what an agent says with a number of more than 64 bits at *place*."""
    run = {"run": "nobody", "attempt": 1}
    return {
        "first": {"is": "rows", **run, "first": 2**70, "rows": [{}]},
        "line": {"is": "output", **run, "first": 2**63, "lines": [[1.0, "out", "x"]]},
        "code": {"is": "exited", **run, "outcome": "finished", "code": 2**70},
        "attempt": {"is": "started", **run, "attempt": -1},
    }[place]


@pytest.mark.parametrize("place", ["first", "line", "code", "attempt"])
def test_numbers_that_no_database_keeps_are_refused(client, place):
    agent = joined(client, made(client))
    reply = client.post(f"/api/v1/agents/{agent}/exchange", json={"said": [huge(place)]})
    assert reply.status_code == 422 and "int" in reply.json()["detail"]


@pytest.mark.parametrize(("name", "number"), [("pid", 2**63), ("pid", -1), ("count", 10**30), ("count", 0)])
def test_an_agent_with_numbers_that_cannot_be_is_refused(client, name, number):
    reply = client.post(f"/api/v1/sweeps/{made(client)}/agents", json={"name": "w", name: number})
    assert reply.status_code == 422 and name in reply.json()["detail"]


@pytest.mark.parametrize("name", ["seed", "run_cap"])
def test_a_sweep_with_numbers_that_no_database_keeps_is_refused(client, name):
    config = {"method": "random", name: 2**70, "parameters": {"x": {"values": [1, 2]}}}
    assert client.post("/api/v1/sweeps", json={"config": config}).status_code == 422


def test_a_row_that_is_nested_too_deeply_is_refused_for_good_and_the_run_goes_on(client):
    agent = joined(client, made(client))
    (order,) = talk(client, agent)["orders"]
    run = {"run": order["run"], "attempt": 1}
    deep: Any = 1
    for _ in range(400):
        deep = {"a": deep}
    fine = {"is": "rows", **run, "first": 0, "rows": [{"loss": 1.0}]}
    bad = {"is": "rows", **run, "first": 1, "rows": [deep]}
    reply = client.post(f"/api/v1/agents/{agent}/exchange", json={"holding": [run], "said": [fine, bad]})
    assert reply.status_code == 422  # 503 would have the agent say it again, for ever
    assert client.get(f"/api/v1/runs/{order['run']}").json()["rows"] == 0
    fine["rows"].append({"loss": 0.5})
    assert talk(client, agent, holding=[run], said=[fine])["accepted"] == 1
    assert client.get(f"/api/v1/runs/{order['run']}").json()["rows"] == 2


def test_what_is_refused_costs_nobody_else_the_engine_that_is_in_memory(client):
    service = client.app.state.service
    sweep = made(client)
    agent = joined(client, sweep)
    (order,) = talk(client, agent)["orders"]
    run = {"run": order["run"], "attempt": 1}
    before = service.roster._kept[sweep]
    bad = {"is": "rows", **run, "first": 0, "rows": [{"loss": {"$": "nonsense"}}]}
    assert client.post(f"/api/v1/agents/{agent}/exchange", json={"holding": [run], "said": [bad]}).status_code == 422
    assert client.post(f"/api/v1/sweeps/{sweep}/agents", json={"name": "w", "count": 0}).status_code == 422
    assert client.post("/api/v1/agents/nobody/leave").status_code == 404
    assert service.roster._kept[sweep] is before


@pytest.mark.parametrize("words", ["a\x00b", "x" * 20_000])
@pytest.mark.parametrize("where", ["name", "name in the config", "description", "experiment"])
def test_words_that_not_every_database_keeps_or_no_list_shows_are_refused(client, words, where):
    config = {"method": "random", "parameters": {"x": {"values": [1, 2]}}}
    match where:
        case "name":
            reply = client.post("/api/v1/sweeps", json={"config": config, "name": words})
        case "experiment":
            reply = client.post("/api/v1/experiments", json={"name": words})
        case _:
            reply = client.post("/api/v1/sweeps", json={"config": {**config, where.partition(" ")[0]: words}})
    assert reply.status_code == 422 and len(reply.text) < 1000
    assert client.get("/api/v1/projects").json() == []


@pytest.mark.parametrize("where", [{"name": "\x00"}, {"host": "\x00"}, {"resources": {"\x00": 1}}])
def test_an_agent_with_a_nul_is_refused_on_every_database(client, where):
    reply = client.post(f"/api/v1/sweeps/{made(client)}/agents", json={"name": "w", **where})
    assert reply.status_code == 422 and "NUL" in reply.json()["detail"]


NOT_AUDITED = {
    "POST /api/v1/sweeps/{sweep}/agents": "the table of agents says who came when",
    "POST /api/v1/agents/{agent}/exchange": "the log of the sweep says it all",
    "POST /api/v1/agents/{agent}/leave": "as for coming",
    "POST /api/v1/experiments/{sweep}/records": "it is a log",
    "PUT /api/v1/runs/{run}/files/{path}": "runs' own, as their metrics are",
    "POST /logout": "a session ends, which its beginning has told",
}


def test_every_change_by_a_person_is_in_the_audit(client):
    sweep = made(client)
    (order,) = talk(client, joined(client, sweep))["orders"]
    run = order["run"]
    key = client.post("/api/v1/keys", json={"name": "k"}).json()
    changes = {
        "POST /api/v1/sweeps": ("/api/v1/sweeps", {"config": RANDOM}),
        "POST /api/v1/experiments": ("/api/v1/experiments", {"name": "e"}),
        "PATCH /api/v1/sweeps/{sweep}": (f"/api/v1/sweeps/{sweep}", {"state": "PAUSED"}),
        "POST /api/v1/runs/{run}/stop": (f"/api/v1/runs/{run}/stop", None),
        "POST /api/v1/runs/{run}/rerun": (f"/api/v1/runs/{run}/rerun", None),
        "DELETE /api/v1/runs/{run}": (f"/api/v1/runs/{run}", None),
        "DELETE /api/v1/sweeps/{sweep}": (f"/api/v1/sweeps/{sweep}", None),
        "POST /api/v1/keys": ("/api/v1/keys", {"name": "l"}),
        "DELETE /api/v1/keys/{key}": (f"/api/v1/keys/{key['id']}", None),
    }
    count = len(client.get("/api/v1/audit").json())
    for name, (path, body) in changes.items():
        reply = client.request(name.partition(" ")[0], path, json=body)
        assert reply.status_code < 300, (name, reply.text)
        rows = client.get("/api/v1/audit").json()
        assert len(rows) == count + 1, name
        count = len(rows)
        refused = client.request(name.partition(" ")[0], path + "-nobody", json=body)
        assert refused.status_code >= 400 and len(client.get("/api/v1/audit").json()) == count, name
    paths = client.get("/openapi.json").json()["paths"]
    there = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods} | {"POST /logout"}
    assert {name for name in there if not name.startswith("GET ")} == changes.keys() | NOT_AUDITED.keys()


def test_a_long_log_is_read_once_and_beside_the_writer(database_url, tmp_path, monkeypatch):
    from luthier.server import log, roster

    files = tmp_path / "files"
    with TestClient(create_app(database_url, files=files), base_url="http://127.0.0.1") as client:
        sweep = made(client)
        agents = [joined(client, sweep) for _ in range(3)]
        (order,) = talk(client, agents[0])["orders"]
    monkeypatch.setattr(roster, "LONG", 1)
    read, real = [], log.read

    def reading(connection, sweep, after=0):
        time.sleep(0.1)
        for record in real(connection, sweep, after):
            read.append((threading.current_thread().name, record.first))
            yield record

    monkeypatch.setattr(log, "read", reading)
    with TestClient(create_app(database_url, files=files), base_url="http://127.0.0.1") as client:
        threads = [threading.Thread(target=talk, args=(client, agent)) for agent in agents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (again,) = talk(client, agents[0])["orders"]
        assert again["run"] == order["run"]
        assert talk(client, agents[0], holding=[{"run": order["run"], "attempt": 1}])["orders"] == []
    assert read and "luthier-writer" not in {name for name, _ in read}
    assert len({first for _, first in read}) == len(read), "it was read more than once"
