"""Operations, wishes and streams of W&B's client, filled with what nobody should send."""

from __future__ import annotations

import itertools
import json
import logging
import time

import msgspec
import pytest

from luthier.server.wandb.operations import OPERATIONS
from tests.server.wandb.tenants import aims, asked
from tests.server.wandb.test_protocol import CONFIG

DEEP = "[" * 50_000
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(12)
)
ODD = [
    None, "", "\x00", "\N{RIGHT-TO-LEFT OVERRIDE}../..", -1, 10**30, [], ["\x00"], {}, {"": None}, "x" * 50_000, DEEP,
    LAUGHS, '{"a": "\\ud800"}', '{"a": NaN, "b": 1e999, "c": ' + "9" * 5000 + "}", '{"\\u0000": "\\u0000"}', "[{}]",
    '{"$where": "1"}', '{"$or": [{"$not": {"$gt": 1}}]}', '{"schedule": [1], "earlystop": 3}', '{"keys": [1, {}]}',
]  # fmt: skip


@pytest.mark.parametrize("of_each", [5, pytest.param(2, marks=pytest.mark.slow)])  # every so many of the values
def test_no_operation_breaks_whatever_it_is_given(tenants, caplog, of_each):
    """Nothing may end in a status of 500, which the client tries again, nor in an exception that nobody thought of."""
    wrong, turn = [], itertools.count()
    for operation, variables in aims(tenants.there["mine"]).items():
        fields = [field.encode_name for field in msgspec.structs.fields(OPERATIONS[operation].told)]
        for field in fields:
            for odd in ODD[next(turn) % of_each :: of_each]:
                wrong += broken(tenants, caplog, operation, {**variables[0], field: odd})
                if field == "input":  # all is in there
                    inner = variables[-1]["input"]
                    for name in inner:
                        wrong += broken(tenants, caplog, operation, {"input": {**inner, name: odd}})
    assert wrong == []


@pytest.mark.parametrize("operation", ["RunFullHistory", "HistoryPage"])
def test_a_page_of_less_than_one_row(tenants, caplog, operation):
    which = {"project": "mine", "name": "first", "minStep": 0, "pageSize": -1}
    assert broken(tenants, caplog, operation, which) == []
    assert len(asked(tenants.mine, operation, which).json()["data"]["project"]["run"]["history"]) == 1


def broken(tenants, caplog, operation, variables):
    """Return what is wrong with the answer, in a list."""
    caplog.clear()
    reply = asked(tenants.mine, operation, variables)
    failed = [record.exc_text for record in caplog.records if record.levelno >= logging.ERROR]
    if reply.status_code < 500 and not failed:
        return []
    return [(operation, str(variables)[:200], reply.status_code, reply.text[:200], str(failed)[-300:])]


WISHES = [
    {"schedule": 1}, {"schedule": [1]}, {"schedule": [{}]}, {"schedule": [{"id": {"a": 1}}]}, {"earlystop": 3},
    {"schedule": [{"id": [], "data": 3}]}, {"schedule": [{"id": "d", "data": {}}]}, {"schedule": {"id": "a"}},
    {"schedule": [{"id": "a", "data": {"args": {"y": {"value": 1}}}}]}, {"earlystop": [None, {}, "x"]}, [], 3, None,
    {"schedule": [{"id": "b", "data": {"args": 7}}]}, {"schedule": [{"id": "c", "data": {"args": {"x": [[[]]]}}}]},
]  # fmt: skip


def test_what_a_controller_wishes_in_error_leaves_its_sweep_alive(tenants, caplog):
    who = tenants.mine
    config = CONFIG + "controller: {type: local}\n"
    sweep = who.sweep(config, project="mine")
    told = json.dumps
    agent = who.agent(sweep)
    wrong = [
        found
        for wish in WISHES
        for found in broken(tenants, caplog, "UpsertSweep", {"id": sweep, "config": config, "controller": told(wish)})
    ]
    assert wrong == []
    for odd in (
        "{}",
        '{"y": {"value": 1}}',
        "[]",
        "x",
    ):  # a config that nobody could try would stop all that comes after
        assert "parameter" in who.ask("EnqueueSweepRun", id=sweep, config=odd)["errors"][0]["message"]
    state = who.ask("GetSweepState", sweep=sweep)["project"]["sweep"]["state"]
    wish = {"schedule": [{"id": "good", "data": {"args": {"x": {"value": 5}}}}]}
    who.ask("UpsertSweep", id=sweep, config=config, controller=told(wish))
    assert state in {"RUNNING", "PENDING"}
    assert 5 in [c["args"]["x"]["value"] for _ in range(9) for c in who.beat(agent) if c["type"] == "run"]


BODIES = {
    b"": 422, b"{": 422, b"[]": 422, b"null": 422, b"3": 422, b"\xff": 422, b'{"operationName": 3}': 422,
    b'[{"operationName": "Viewer"}, {"operationName": "Viewer"}]': 422,  # a batch
    b'{"query": "' + b"[" * 200_000 + b'"}': 200, b'{"variables": ' + b"[" * 200_000: 422,
    b'{"variables": ' + b'{"a":' * 200_000: 422, b'{"query": "' + b"query " * 200_000 + b'"}': 200,
    b'{"query": "query   ' + b" " * 1_000_000 + b'"}': 200, b'{"query": "query {' + b" " * 1_000_000 + b'"}': 200,
    b'{"query": "query Viewer { a: viewer { id } b: viewer { id } ...F } fragment F on X { viewer { id } }"}': 200,
    b'{"query": "query Viewer { viewer { id } } mutation UpsertBucket { x }", "operationName": "Magic"}': 200,
    b'{"query": "{ __schema { types { name } } }"}': 200, b'{"query": "query IntrospectionQuery { __schema }"}': 200,
    b'{"operationName": "__class__"}': 200, b'{"operationName": "Viewer", "variables": null}': 200,
}  # fmt: skip


def test_whatever_is_no_question_is_told_so(tenants):
    for body, status in BODIES.items():
        began = time.process_time()
        reply = tenants.client.post("/graphql", content=body, auth=tenants.mine.auth)
        assert reply.status_code == status, (body[:80], reply.text[:200])
        assert time.process_time() - began < 5, body[:80]
        if status == 200 and b"Viewer" not in body:
            assert reply.json()["errors"], body[:80]
    told = tenants.client.post("/graphql", json={"query": "query { viewer { id } }"}, auth=tenants.mine.auth).json()
    assert told["data"]["viewer"]["username"] == "mine", "how older clients ask whether a key is good"
    # The name decides, and with it the rights: not what the text of the query says beside it.
    sly = {"operationName": "UpsertBucket", "query": "query Viewer { viewer { id } }", "variables": {"name": "sly"}}
    assert tenants.client.post("/graphql", json=sly, auth=tenants.reads.auth).status_code == 403


LINES = [
    '{"a": "\\ud800"}', '{"\\ud800": 1}', '{"a": "\\u0000", "\\u0000": 1}', '{"a": ' + "9" * 5000 + "}",
    '{"a": 1e999}',
    '{"_timestamp": NaN}', '{"_timestamp": 1e999}', '{"_timestamp": -1e300}', '{"_timestamp": "x"}',
    '{"_timestamp": ' + "9" * 400 + "}", '{"a": ' + "[" * 90 + "]" * 90 + "}", '{"a": ' + "[" * 90_000,
    '{"": {"": {}}}',
    '{"_step": "x", "_runtime": []}', '{"__proto__": 1}', "null", "",
    "x" * 1_000_000, '{"a": "' + "y" * 5_000_000 + '"}',
]  # fmt: skip


def test_whatever_a_stream_holds_the_rest_of_it_is_kept(tenants):
    for number, line in enumerate(LINES):
        name = f"odd{number}"
        tenants.mine.begin(name, project="mine")
        history = {"offset": 0, "content": [line, '{"loss": 5}']}
        parts = {"wandb-summary.json": [line], "wandb-events.jsonl": [line], "output.log": [line, "said"]}
        files = {part: {"offset": 0, "content": lines} for part, lines in parts.items()}
        body = json.dumps({"files": {**files, "wandb-history.jsonl": history}, "complete": True, "exitcode": 1})
        for _ in range(2):
            url = f"/files/luthier/mine/{name}/file_stream"
            reply = tenants.client.post(url, content=body, auth=tenants.mine.auth)
            assert (reply.status_code, reply.json()) == (200, {"stopped": False}), (line[:80], reply.text[:300])
        found = tenants.mine.run(name)
        assert (found["state"], found["rows"], found["lines"]) == ("failed", 2, 2), line[:80]
        page = tenants.client.get(f"/api/v1/runs/{name}/history", auth=tenants.mine.auth)
        assert page.json()["items"][-1]["loss"] == 5, line[:80]
        told = tenants.mine.ask("RunFullHistory", project="mine", name=name, samples=5)
        assert json.loads(told["project"]["run"]["history"][-1])["loss"] == 5, line[:80]
        assert tenants.client.get(f"/runs/{name}", auth=tenants.mine.auth).status_code == 200


def test_offsets_lead_nowhere(tenants):
    url = "/files/luthier/mine/far/file_stream"
    tenants.mine.begin("far", project="mine")
    for part in ("wandb-history.jsonl", "output.log", "wandb-events.jsonl", "wandb-summary.json"):
        for offset in (-1, 2**53, 10**30, 1.5, "1"):
            body = {"files": {part: {"offset": offset, "content": ['{"loss": 1}']}}}
            reply = tenants.client.post(url, json=body, auth=tenants.mine.auth)
            assert reply.status_code == 422, (part, offset, reply.text)
    assert tenants.mine.run("far")["rows"] == 0


def test_limits_are_told(tenants):
    auth = tenants.mine.auth
    told = tenants.client.post("/graphql", content=b"x" * (11 << 20), auth=auth)
    assert told.status_code == 413
    told = tenants.client.post("/files/luthier/mine/first/file_stream", content=b"x" * (25 << 20), auth=auth)
    assert told.status_code == 413
    many = [f"{number}" for number in range(10_001)]
    assert asked(tenants.mine, "CreateRunFiles", {"run": "first", "project": "mine", "files": many}).status_code == 404
    for operation, variables in [
        ("Runs", {"project": "mine", "filters": json.dumps({"name": {"$in": ["x"] * 100_000}})}),
        ("RunSampledHistory", {"project": "mine", "name": "first", "specs": ["{}"] * 101}),
        ("SweepWithRuns", {"sweep": tenants.there["mine"]["sweep"], "specs": ["{}"] * 101}),
    ]:
        assert asked(tenants.mine, operation, variables).json()["errors"], operation
