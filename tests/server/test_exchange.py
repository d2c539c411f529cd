"""Agents and the server: who gets what, what is stored, and what becomes of it all when things break."""

from __future__ import annotations

from collections import Counter

import pytest
import sqlalchemy as sa

from luthier.core import events as ev
from luthier.core.errors import BadArgument
from luthier.server import exchange, sweeping, wire
from luthier.server.missing import NotThere
from luthier.server.tables import agents, history, sweeps
from luthier.server.texts import value
from luthier.sweeps.read import read
from tests.server.world import World

RANDOM = "method: random\nmetric: {name: loss}\nrun_cap: 12\nparameters: {x: {min: 0.0, max: 1.0}}\n"
GRID = "method: grid\nmetric: {name: loss}\nparameters: {x: {values: [1, 2, 3, 4, 5, 6]}}\n"


@pytest.fixture
def world(engine):
    """Return what makes a world, and close it."""
    made = []

    def make(config, **more):
        found = World(engine, config, **{"seed": 0, **more})
        made.append(found)
        return found

    yield make
    for found in made:
        found.close()


@pytest.mark.parametrize("agents", [1, 3, 20])
def test_the_number_of_runs_is_exact_with_any_number_of_agents(world, agents):
    w = world(RANDOM)
    for _ in range(agents):
        w.join()
    w.run()
    assert w.state().state == "FINISHED"
    assert [row.state for row in w.runs()] == ["finished"] * 12
    assert set(w.begun.values()) == {1}
    assert {row.state for row in w.agents()} == {"left"}
    w.check()


def test_parallel_agents_walk_a_grid_without_a_gap_or_a_double(world):
    w = world(GRID)
    for _ in range(4):
        w.join()
    w.run()
    assert sorted(value(row.config)["x"] for row in w.runs()) == [1, 2, 3, 4, 5, 6]


def test_what_was_reported_is_stored_once_however_often_it_is_told(world):
    w = world(RANDOM)
    walker = w.join()
    w.talk(walker)
    w.work(walker)
    w.talk(walker, deaf=True)
    w.work(walker)
    w.talk(walker, deaf=True)
    w.talk(walker)
    (run,) = w.runs()
    x = value(run.config)["x"]
    assert [value(row.metrics)["loss"] for row in w.rows(history)] == [x, x / 2]
    assert (run.rows, run.value, value(run.summary)) == (2, x / 2, {"loss": x / 2, "other": 1})


def test_an_order_that_got_lost_comes_again(world):
    w = world(RANDOM)
    walker = w.join()
    assert w.talk(walker, deaf=True) is None
    reply = w.talk(walker)
    assert [(order["is"], order["attempt"]) for order in reply.orders] == [("run", 1)]


def test_the_runs_of_a_lost_agent_go_to_another_and_it_is_told_to_end_them(world):
    w = world(RANDOM)
    lost, other = w.join(), w.join()
    w.talk(lost)
    w.work(lost)
    (run,) = lost.work
    w.lose(lost)
    assert {row.id: row.state for row in w.runs()}[run] in {"waiting", "running"}
    w.talk(other)
    while run not in other.work:
        w.work(other)
        w.talk(other)
    assert other.work[run].attempt == 2
    before = next(row for row in w.runs() if row.id == run)
    lost.gone = False
    reply = w.talk(lost)  # back from the dead, with a report of what is no longer its run
    assert [(order["is"], order["run"]) for order in reply.orders] == [("halt", run)]
    assert next(row for row in w.runs() if row.id == run).rows == before.rows
    w.run()
    assert [row.state for row in w.runs()] == ["finished"] * 12
    w.check()


def test_an_agent_gets_as_many_runs_as_it_has_slots_and_no_more_than_it_wants(world):
    w = world(RANDOM)
    walker = w.join(slots=3, count=5)
    w.talk(walker)
    assert len(walker.work) == 3
    w.run()
    assert (walker.gone, sum(w.begun.values()), w.state().state) == (True, 5, "RUNNING")
    assert Counter(row.state for row in w.runs()) == {"finished": 5}
    w.join()
    w.run()
    assert Counter(row.state for row in w.runs()) == {"finished": 12}


def test_a_paused_sweep_gives_no_run_and_goes_on(world):
    w = world(RANDOM)
    a, b = w.join(), w.join()
    w.talk(a)
    w.change("PAUSED")
    for _ in range(8):
        for walker in (a, b):
            w.work(walker)
            assert not w.talk(walker).exit
    assert w.state().state == "PAUSED"
    assert Counter(row.state for row in w.runs())["finished"] <= 2
    began = sum(w.begun.values())
    w.change("RUNNING")
    w.run()
    assert sum(w.begun.values()) == 12 > began
    w.check()


def test_a_sweep_that_is_to_end_lets_its_runs_end(world):
    w = world(RANDOM)
    walker = w.join()
    w.talk(walker)
    w.change("FINISHED")
    w.run()
    assert (w.state().state, [row.state for row in w.runs()]) == ("FINISHED", ["finished"])
    w.change("RUNNING")
    w.join()
    w.run()
    assert Counter(row.state for row in w.runs()) == {"finished": 12}


def test_a_cancelled_sweep_ends_its_runs(world):
    w = world(RANDOM)
    walker = w.join()
    w.talk(walker)
    w.work(walker)
    w.talk(walker)
    w.change("CANCELED")
    w.run()
    (run,) = w.runs()
    assert (w.state().state, run.state, run.reason) == ("CANCELED", "stopped", "cancelled by ann")


def test_a_sweep_with_a_state_that_there_is_not_stays_as_it_is(world):
    w = world(RANDOM)
    with pytest.raises(BadArgument, match="RUNNING, PAUSED, FINISHED, CANCELED"):
        w.change("SLEEPING")
    assert w.state().state == "PENDING"


def test_a_run_that_fails_is_tried_again_as_often_as_it_may(world):
    w = world(RANDOM + "max_failures: 1\n")
    walker = w.join()
    w.talk(walker)
    (run,) = walker.work
    w.work(walker, fail=True)
    w.talk(walker)
    while (run, 2) not in w.begun:
        w.work(walker)
        w.talk(walker)
    while run not in walker.work:
        w.work(walker)
        w.talk(walker)
    w.work(walker, fail=True)
    w.run()
    states = Counter(row.state for row in w.runs())
    assert states == {"finished": 11, "failed": 1}
    assert next(row for row in w.runs() if row.id == run).error == "boom"


def test_what_a_run_says_may_hold_any_character(world):
    w = world(RANDOM)
    walker = w.join()
    w.talk(walker)
    (work,) = walker.work.values()
    w.work(walker)
    del walker.work[work.run]
    said = "a\x00b \N{SNOWMAN}"
    walker.outbox += [
        wire.Output(work.run, 1, 0, [(1.0, "err", said)]),
        wire.Rows(work.run, 1, 1, [{said: said, "loss": 2.0}]),
        wire.Exited(work.run, 1, "failed", error=said),
    ]
    w.talk(walker)
    run = w.runs()[0]
    assert (run.state, run.error) == ("failed", "a\ufffdb \N{SNOWMAN}")
    assert value(run.summary)[said] == said


def test_early_stopping_is_ordered_with_its_reason(world):
    w = world(
        "method: random\nmetric: {name: loss}\nrun_cap: 40\nparameters: {x: {min: 0.0, max: 1.0}}\n"
        "scheduler: {name: asha, max_t: 20, grace_period: 1}\n",
        steps=9,
    )
    for _ in range(4):
        w.join()
    w.run()
    states = Counter(row.state for row in w.runs())
    assert states["stopped"] > 10 and states["finished"] > 0 and sum(states.values()) == 40
    stopped = next(row for row in w.runs() if row.state == "stopped")
    assert "rung" in value(stopped.why) and stopped.reason


@pytest.mark.parametrize("scheduler", ["asha, max_t: 4, grace_period: 1", "asha_promotion, max_t: 4, grace_period: 1"])
def test_who_has_had_all_its_time_has_finished(world, scheduler):
    w = world(
        "method: random\nmetric: {name: loss}\nrun_cap: 24\nparameters: {x: {min: 0.0, max: 1.0}}\n"
        f"scheduler: {{name: {scheduler}}}\n",
        steps=9,
    )
    for _ in range(4):
        w.join()
    w.run()
    finished = [row for row in w.runs() if row.state == "finished"]
    others = [row for row in w.runs() if row.state != "finished"]
    assert finished and all(row.reason.startswith("reached max_t") and row.rows == 4 for row in finished)
    assert others and all(row.state == "stopped" and "max_t" not in row.reason for row in others)


def test_a_target_ends_the_sweep(world):
    w = world("method: random\nmetric: {name: loss, target: 0.2}\nparameters: {x: {min: 0.0, max: 1.0}}\n")
    w.join()
    w.run()
    assert w.state().state == "FINISHED" and w.state().best_value <= 0.2


def test_a_deleted_run_is_replaced(world):
    w = world(RANDOM)
    walker = w.join()
    w.talk(walker)
    (run,) = walker.work
    w.write(lambda c, r: sweeping.delete_run(c, r, run, w.now, "ann"))
    w.run()
    assert Counter(row.state for row in w.runs()) == {"deleted": 1, "finished": 12}


def test_a_stopped_run_says_by_whom(world):
    w = world(RANDOM)
    walker = w.join()
    w.talk(walker)
    (run,) = walker.work
    w.write(lambda c, r: sweeping.stop_run(c, r, run, w.now, "ann"))
    w.run()
    first = w.runs()[0]
    assert (first.state, first.reason) == ("stopped", "stopped by ann")
    w.write(lambda c, r: sweeping.rerun(c, r, run, w.now, "ann"))
    assert w.state().state == "RUNNING"
    w.join()
    w.run()
    assert Counter(row.state for row in w.runs()) == {"finished": 12}


def test_a_run_once_more_of_a_cancelled_sweep_brings_no_others_with_it(world):
    w = world(RANDOM)
    walker = w.join()
    w.talk(walker)
    (run,) = walker.work
    w.change("CANCELED")
    w.run()
    w.write(lambda c, r: sweeping.rerun(c, r, run, w.now, "ann"))
    w.join()
    w.run()
    assert [(row.id, row.state, row.attempt) for row in w.runs()] == [(run, "finished", 2)]


def test_a_deleted_sweep_sends_its_agents_away(world):
    w = world(RANDOM)
    walker = w.join()
    w.talk(walker)
    w.write(lambda c, r: sweeping.delete(c, r, w.sweep))
    w.talk(walker)
    assert walker.gone and not w.runs()
    with pytest.raises(NotThere):
        w.change("RUNNING")


def test_what_is_no_report_is_refused_and_nothing_of_it_counts(world):
    w = world(RANDOM)
    walker = w.join()
    w.talk(walker)
    (work,) = walker.work.values()
    walker.outbox += [
        wire.Rows(work.run, 1, 0, [{"loss": 1.0}]),
        wire.Rows(work.run, 1, 1, [{"loss": {"$": "nonsense", "v": 1}}]),
    ]
    with pytest.raises(BadArgument, match="rows"):
        w.talk(walker)
    assert w.runs()[0].rows == 0 and not w.rows(history)


def test_a_pickle_from_the_network_stays_closed(world):
    import base64
    import pickle

    class Bomb:
        def __reduce__(self):
            return (exec, ("raise SystemExit('it went off')",))

    bomb = {"$": "pickle", "type": "Bomb", "v": base64.b64encode(pickle.dumps(Bomb())).decode()}
    w = world(RANDOM)
    walker = w.join()
    w.talk(walker)
    (work,) = walker.work.values()
    walker.outbox.append(wire.Rows(work.run, 1, 0, [{"loss": 1.0, "bomb": bomb}]))
    w.talk(walker)
    w.restart()
    w.run()
    assert w.state().state == "FINISHED"


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_lost_or_doubled_whatever_breaks(world, seed):
    """Messages get lost, agents die and come back, servers die: in the end the counts are exact."""
    w = world(RANDOM, seed=seed, servers=1 + seed % 2)
    chance = w.chance
    for _ in range(120):
        here = [walker for walker in w.walkers if not walker.gone]
        match chance.randrange(12):
            case 0 if len(here) < 5:
                w.join(slots=chance.choice([1, 1, 2]), count=chance.choice([None, 2]))
            case 1 if here:
                w.lose(chance.choice(here))
            case 2 if here:
                w.leave(chance.choice(here))
            case 3:
                w.restart()
            case 4 if w.state().state != "FINISHED":
                w.change(chance.choice(["PAUSED", "RUNNING"]))
            case 5 if w.walkers:
                w.talk(chance.choice(w.walkers), deaf=True)
            case 6 if w.walkers:
                walker = chance.choice(w.walkers)  # perhaps one that was lost, and is back
                w.talk(walker)
            case _:
                for walker in here:
                    w.work(walker, fail=False)
                    w.talk(walker)
        w.check()
    if w.state().state == "PAUSED":
        w.change("RUNNING")
    for walker in w.walkers:  # those that were lost are back
        walker.gone = False
    w.join()
    w.run()
    assert w.state().state == "FINISHED"
    assert Counter(row.state for row in w.runs()) == {"finished": 12}
    w.check()


class Raising:
    """A scheduler that raises on the second report of all."""

    def __init__(self):
        self.reports = 0

    def decide(self, news, experiment, rng):
        if type(news).__name__ == "Reported":
            self.reports += 1
            if self.reports == 2:
                raise ZeroDivisionError("of mine")
        return ()

    def pick(self, waiting, experiment):
        return next(iter(waiting), None)


def test_a_sweep_whose_scheduler_raises_fails_and_lets_its_agents_go(database_url, tmp_path, monkeypatch):
    from fastapi.testclient import TestClient

    from luthier.server import planning
    from luthier.server.app import create_app

    monkeypatch.setattr(planning.Plan, "_judge", lambda self: Raising())
    with TestClient(create_app(database_url, files=tmp_path / "files"), base_url="http://127.0.0.1") as client:
        sweep = client.post("/api/v1/sweeps", json={"config": RANDOM}).json()["sweep"]
        agent = client.post(f"/api/v1/sweeps/{sweep}/agents", json={"name": "w"}).json()["agent"]

        def talk(**told):
            return client.post(f"/api/v1/agents/{agent}/exchange", json=told)

        (order,) = talk().json()["orders"]
        held = {"run": order["run"], "attempt": 1}
        rows = [{"is": "rows", **held, "first": 0, "rows": [{"loss": 1.0}]}]
        assert talk(holding=[held], said=rows).status_code == 200
        rows = [{"is": "rows", **held, "first": 1, "rows": [{"loss": 0.5}]}]
        refused = talk(holding=[held], said=rows)
        assert refused.status_code == 409 and "of mine" in refused.json()["detail"]
        found = client.get(f"/api/v1/sweeps/{sweep}").json()
        assert found["state"] == "FAILED" and "ZeroDivisionError" in found["reason"]
        (halt,) = talk(holding=[held], said=rows).json()["orders"]
        assert halt["is"] == "halt"
        assert talk().json()["exit"] == "the sweep failed"


def test_a_run_that_is_deleted_twice_is_replaced_once_and_not_tried_again(world):
    w = world(RANDOM)
    walker = w.join()
    w.talk(walker)
    (run,) = walker.work
    for _ in range(3):
        w.write(lambda c, r: sweeping.delete_run(c, r, run, w.now, "ann"))
    w.run()
    with pytest.raises(BadArgument, match="not deleted"):
        w.write(lambda c, r: sweeping.rerun(c, r, run, w.now, "ann"))
    assert Counter(row.state for row in w.runs()) == {"deleted": 1, "finished": 12}
    assert w.state().state == "FINISHED"


@pytest.mark.parametrize("end", ["FINISHED", "CANCELED"])
def test_a_sweep_that_was_to_end_and_paused_goes_on_to_its_whole_number(world, end):
    w = world(RANDOM)
    walker = w.join()
    w.talk(walker)
    (run,) = walker.work
    w.write(lambda c, r: sweeping.delete_run(c, r, run, w.now, "ann"))
    for state in (end, "PAUSED", "RUNNING"):
        w.change(state)
    w.run()
    w.join()
    w.run()
    assert len([row for row in w.runs() if row.state != "deleted"]) == 12


def test_an_agent_with_more_slots_than_a_machine_can_have_is_refused(world):
    w = world("method: random\nmetric: {name: loss}\nparameters: {x: {min: 0.0, max: 1.0}}\n")
    with pytest.raises(BadArgument, match="from 1 to 1000"):
        w.join(slots=100_000_000)
    assert not w.agents() and not w.runs()


class RaisesAtTheEnd(Raising):
    def decide(self, news, experiment, rng):
        if isinstance(news, ev.Exited):
            raise ZeroDivisionError("of mine")
        return ()


def begin_with_an_agent(service, spec):
    """Make a sweep at second 1000, and let an agent take a run of it."""
    roster, writer = service.roster, service.writer
    sweep = writer.do(lambda c: sweeping.create(c, roster, spec, None, None, 1000.0))
    made = writer.do(lambda c: exchange.register(c, roster, sweep, wire.Registration(name="w"), 10.0, 1000.0))
    writer.do(lambda c: exchange.exchange(c, roster, made["agent"], wire.Exchange(), 1000.0))


def test_a_scheduler_that_raises_when_an_agent_is_lost_keeps_no_other_sweep_waiting(engine, tmp_path, monkeypatch):
    from luthier.server import planning
    from luthier.server.service import Service

    real = planning.Plan._judge
    monkeypatch.setattr(
        planning.Plan, "_judge", lambda self: RaisesAtTheEnd() if self.spec.name == "bad" else real(self)
    )
    monkeypatch.setattr(Service, "_watching", lambda self: None)  # here, the test says when
    service = Service(engine, tmp_path, lease_s=10.0)
    try:
        for config in ("name: bad\n" + RANDOM, RANDOM):
            spec = read(config)
            begin_with_an_agent(service, spec)
        service._started = 1000.0
        for _ in range(2):
            service._expire(1020.0)
        with engine.connect() as connection:
            assert set(connection.execute(sa.select(agents.c.state)).scalars()) == {"lost"}
            assert set(connection.execute(sa.select(sweeps.c.state)).scalars()) == {"FAILED", "RUNNING"}
    finally:
        service.close()


class RaisesFromNowOn:
    """A scheduler that works until somebody says otherwise."""

    broken = False

    def decide(self, news, experiment, rng):
        if RaisesFromNowOn.broken:
            raise ZeroDivisionError("of mine")
        return ()

    def pick(self, waiting, experiment):
        self.decide(None, experiment, None)
        return next(iter(waiting), None)


@pytest.mark.parametrize("what", ["POST /runs/{run}/rerun", "DELETE /runs/{run}", "POST /agents/{agent}/leave"])
def test_a_scheduler_that_raises_at_a_users_word_fails_its_sweep_at_once(database_url, tmp_path, monkeypatch, what):
    from fastapi.testclient import TestClient

    from luthier.server import planning
    from luthier.server.app import create_app

    monkeypatch.setattr(planning.Plan, "_judge", lambda self: RaisesFromNowOn())
    monkeypatch.setattr(RaisesFromNowOn, "broken", False)
    with TestClient(create_app(database_url, files=tmp_path / "files"), base_url="http://127.0.0.1") as client:
        sweep = client.post("/api/v1/sweeps", json={"config": RANDOM.replace("run_cap: 12", "run_cap: 3")}).json()[
            "sweep"
        ]
        resources = {"name": "w", "resources": {"slot": 3}}
        agent = client.post(f"/api/v1/sweeps/{sweep}/agents", json=resources).json()["agent"]
        orders = client.post(f"/api/v1/agents/{agent}/exchange", json={}).json()["orders"]
        said = [{"is": "exited", "run": orders[0]["run"], "attempt": 1, "outcome": "finished"}]
        held = [{"run": order["run"], "attempt": 1} for order in orders[1:]]
        assert client.post(f"/api/v1/agents/{agent}/exchange", json={"said": said, "holding": held}).status_code == 200
        monkeypatch.setattr(RaisesFromNowOn, "broken", True)
        method, path = what.format(run=orders[0]["run"], agent=agent).split()
        reply = client.request(method, f"/api/v1{path}")
        leaves = path.endswith("leave")
        assert reply.status_code == (204 if leaves else 409), "an agent may always leave"
        found = client.get(f"/api/v1/sweeps/{sweep}").json()
        assert found["state"] == "FAILED" and "ZeroDivisionError" in found["reason"]
        assert [each["state"] for each in found["agents"]] == ["left" if leaves else "here"]


def test_what_is_remembered_of_agents_has_a_bound(database_url, tmp_path, monkeypatch):
    from fastapi.testclient import TestClient

    from luthier.server import service
    from luthier.server.app import create_app

    monkeypatch.setattr(service, "KNOWN", 2)
    app = create_app(database_url, files=tmp_path / "files")
    with TestClient(app, base_url="http://127.0.0.1") as client:
        sweep = client.post("/api/v1/sweeps", json={"config": RANDOM}).json()["sweep"]
        came = [client.post(f"/api/v1/sweeps/{sweep}/agents", json={"name": "w"}).json()["agent"] for _ in range(4)]
        for agent in [*came, *came]:
            (order,) = client.post(f"/api/v1/agents/{agent}/exchange", json={}).json()["orders"]
            assert order["is"] == "run"
            assert len(app.state.service._known) <= 2


def test_a_clock_that_jumps_costs_no_agent_its_runs(engine, tmp_path, monkeypatch):
    from luthier.server import service as under_test

    class Clock:
        now = passed = 1000.0

        def time(self):
            return self.now

        def monotonic(self):
            return self.passed

        def go(self, passed, jump=0.0):
            self.passed += passed
            self.now += passed + jump

    clock = Clock()
    monkeypatch.setattr(under_test, "time", clock)
    monkeypatch.setattr(under_test.Service, "_watching", lambda self: None)
    service = under_test.Service(engine, tmp_path, lease_s=10.0)

    def left():
        service._mind_the_clock()
        service._expire(clock.time())
        with engine.connect() as connection:
            return connection.execute(sa.select(agents.c.state)).scalars().one()

    try:
        begin_with_an_agent(service, read(RANDOM))
        clock.go(0.5, jump=3600.0)
        assert left() == "here"
        clock.go(9.0)
        assert left() == "here"
        clock.go(2.0)
        assert left() == "lost"
    finally:
        service.close()
