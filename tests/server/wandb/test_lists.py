"""Long lists that W&B's client reads page by page: histories and runs."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

from luthier.server.app import create_app
from luthier.server.wandb import sampling
from luthier.server.wandb.lists import Lists
from tests.server.wandb.test_protocol import Client

ROWS = 3 * sampling.AT_ONCE + 7


@pytest.fixture
def client(database_url, tmp_path):
    with TestClient(create_app(database_url, files=tmp_path / "files"), base_url="http://127.0.0.1") as found:
        yield Client(found)


@pytest.fixture
def decoded(monkeypatch):
    """Give the rows of history that were decoded."""
    found = []
    read = sampling._read

    def reading(row):
        found.append(row.row)
        return read(row)

    monkeypatch.setattr(sampling, "_read", reading)
    return found


def log(client, name, rows, first=0):
    lines = [json.dumps(row) for row in rows]
    reply = client.stream(name, files={"wandb-history.jsonl": {"offset": first, "content": lines}})
    assert reply.status_code == 200


def steps(client, least, end, size=1000):
    told = client.ask("HistoryPage", run="long", project="p", minStep=least, maxStep=end, pageSize=size)
    return [json.loads(line)["_step"] for line in told["project"]["run"]["history"]]


def keyed(client, keys, **more):
    spec = json.dumps({"keys": keys, **more})
    return client.ask("SampledHistoryPage", run="long", project="p", spec=spec)["project"]["run"]["sampledHistory"]


@pytest.fixture
def long(client):
    """Have a run whose steps go up by ten, and of whose rows every fifth has an accuracy."""
    client.begin("long")
    rows = [{"loss": i / 2, "_step": 10 * i} | ({"acc": i} if i % 5 == 0 else {}) for i in range(ROWS)]
    log(client, "long", rows)
    return client


def test_a_page_of_history_is_found_without_reading_what_is_before(long, decoded):
    assert steps(long, 7000, 7100) == list(range(7000, 7100, 10))
    assert len(decoded) < sampling.AT_ONCE + 20
    assert steps(long, 7001, 7031) == [7010, 7020, 7030]
    assert steps(long, 0, 21) == [0, 10, 20]
    assert steps(long, 10 * ROWS - 15, 10**9) == [10 * ROWS - 10]
    assert steps(long, 10 * ROWS, 10**9) == steps(long, 11, 20) == []
    assert steps(long, 0, 10**9, size=3) == [0, 10, 20]
    assert steps(long, 0, 10**9, size=5000) == list(range(0, 10 * ROWS, 10))


def test_a_window_with_more_rows_than_an_answer_holds_is_refused_and_not_cut_short(long, monkeypatch):
    """The client takes what comes for all that there is in its window."""
    monkeypatch.setattr(sampling, "MOST", 100)
    assert len(steps(long, 0, 1000, size=10**9)) == 100
    variables = {"name": "long", "project": "p", "minStep": 0, "maxStep": 1001, "pageSize": 10**9}
    (error,) = long.ask("HistoryPage", **variables)["errors"]
    assert "page_size" in error["message"]


def test_rows_that_never_came_are_no_end(client):
    client.begin("long")
    log(client, "long", [{"_step": 0}, {"_step": 1}])
    log(client, "long", [{"_step": i} for i in range(900, 905)], first=900)
    assert steps(client, 0, 1000) == [0, 1, *range(900, 905)]
    assert steps(client, 1, 902) == [1, 900, 901]
    assert steps(client, 2, 904) == [900, 901, 902, 903]
    assert steps(client, 903, 10**6) == [903, 904]
    assert keyed(client, ["_step"], samples=4, minStep=0, maxStep=10**6) == [[{"_step": i} for i in (0, 900, 902, 904)]]


def test_pages_of_some_keys_hold_the_rows_that_have_them(long):
    assert keyed(long, ["_step", "acc"], minStep=100, maxStep=200, samples=50) == [
        [{"_step": 100, "acc": 10}, {"_step": 150, "acc": 15}, {"_step": 200, "acc": 20}]
    ]
    assert len(keyed(long, ["acc"], samples=10_000)[0]) == len(range(0, ROWS, 5))
    few = keyed(long, ["acc"], samples=3)[0]
    last = ROWS - 1 - (ROWS - 1) % 5
    assert (few[0], few[-1], len(few)) == ({"acc": 0}, {"acc": last}, 3)
    log(long, "long", [{"acc": float("nan"), "_step": 10 * ROWS}], first=ROWS)
    assert keyed(long, ["acc"], minStep=10 * ROWS - 60, samples=9)[0][-1] == {"acc": "NaN"}


def test_samples_are_read_alone(long, decoded):
    told = long.ask("RunFullHistory", name="long", project="p", samples=4)["project"]["run"]["history"]
    places = [i * (ROWS - 1) // 3 for i in range(4)]
    assert [json.loads(line)["_step"] for line in told] == [10 * place for place in places]
    assert decoded == places
    told = long.ask("RunParquetHistory", runName="long", project="p", liveKeys=["_step"])["project"]["run"]
    assert [row["_step"] for row in told["parquetHistory"]["liveData"]] == [0, 10 * (ROWS - 1)]


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_short_histories_have_their_ends(client, rows):
    client.begin("long")
    log(client, "long", [{"_step": i} for i in range(rows)])
    told = client.ask("RunParquetHistory", runName="long", project="p", liveKeys=["_step"])["project"]["run"]
    assert [row["_step"] for row in told["parquetHistory"]["liveData"]] == list(range(rows))
    assert steps(client, 0, 10) == list(range(rows))


def page(client, **more):
    told = client.ask("Runs", project="p", perPage=3, **more)["project"]
    names = [edge["node"]["name"] for edge in told["runs"]["edges"]]
    return names, told["runs"]["pageInfo"], told["runCount"]


def test_further_pages_are_of_the_list_that_was_begun(client):
    for i in range(8):
        client.begin(f"r{i}", summaryMetrics=json.dumps({"loss": i % 4}))
    order = {"order": "-summary_metrics.loss", "filters": json.dumps({"summary_metrics.loss": {"$gt": 0}})}
    names, info, count = page(client, **order)
    assert (names, info["hasNextPage"], count) == (["r3", "r7", "r2"], True, 6)
    client.begin("r1", summaryMetrics='{"loss": 9}')  # which would be the first now, and shift the others
    more, info, _ = page(client, cursor=info["endCursor"], **order)
    assert (more, info["hasNextPage"]) == (["r6", "r1", "r5"], False)
    assert page(client, **order)[0] == ["r1", "r3", "r7"]


def test_runs_come_as_they_were_made_or_the_other_way(client):
    for i in range(4):
        client.begin(f"r{i}")
    assert page(client)[0] == page(client, order="+created_at", filters="{}")[0] == ["r0", "r1", "r2"]
    wish = json.dumps({"state": "running"})
    assert page(client, order="+created_at", filters=wish)[0] == ["r0", "r1", "r2"]
    assert page(client, order="-created_at")[0] == page(client, order="-createdAt", filters=wish)[0]
    assert page(client, order="-created_at")[0] == ["r3", "r2", "r1"]


def test_a_page_whose_list_was_forgotten_is_of_a_new_one(client):
    for i in range(5):
        client.begin(f"r{i}")
    assert page(client, cursor="3") == (["r3", "r4"], {"endCursor": "5", "hasNextPage": False}, 5)


def test_lists_are_forgotten_when_there_are_too_many_or_nobody_asks():
    lists = Lists(most=2, for_s=10.0)
    lists.keep("a", ["1"], 0.0)
    lists.keep("b", ["2"], 1.0)
    assert lists.find("a", 5.0) == ["1"]
    lists.keep("c", ["3"], 6.0)
    assert lists.find("b", 6.0) is None  # the one that was asked for the longest ago
    assert lists.find("a", 15.0) == ["1"]
    assert lists.find("a", 25.5) is None
    assert lists.find("c", 16.5) is None
