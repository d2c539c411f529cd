"""Whatever is sent to any route that the server's OpenAPI names: it is answered or refused, and never a 500."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from luthier.plots.catalogue import FIGURES
from luthier.server.app import create_app
from tests.server.seeded import Seeded

HERE = {"Host": "localhost"}
SWEEP = "method: random\nmetric: {name: loss}\nparameters: {x: {min: 0.0, max: 1.0}}\nname: live\nproject: digits\n"
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just({}), st.just([]),
    st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=3), st.sampled_from(["1e999", "random", "asha"]),
    st.dictionaries(st.sampled_from(["name", "goal", "min", "max", "values", "type", "x"]), st.integers(), max_size=2),
)  # fmt: skip
KEYS = [
    "method", "metric", "parameters", "run_cap", "early_terminate", "command", "name", "project", "program", "seed",
    "num_samples", "max_failures", "repeats", "scheduler", "stop", "resources", "points", "description", "nonsense",
]  # fmt: skip
CONFIGS = st.dictionaries(st.sampled_from(KEYS), ODD, max_size=3).map(
    lambda odd: {"method": "random", "parameters": {"x": {"min": 0.0, "max": 1.0}}, **odd}
)


pytestmark = pytest.mark.slow  # make chaos; tests/server/test_fuzz.py is the short one


@pytest.fixture
def app(engine, database_url, tmp_path):
    app = create_app(database_url, files=tmp_path / "files", lease_s=1.0)
    assert TestClient(app, headers=HERE).post("/api/v1/sweeps", json={"config": SWEEP}).status_code == 201
    seeded = Seeded(engine)
    for sweep in ("fm923t32", "to_end00"):
        seeded.sweep(sweep, runs=4)  # in the project that the other one has made
    yield app
    app.state.service.close()


def test_no_request_is_answered_with_500(app, request):
    examples = 5 * request.config.getoption("--chaos")
    chosen = request.config.getoption("--seed") or random.randrange(1 << 32)
    print(f"repeat with --seed {chosen}")
    client = TestClient(app, headers=HERE)
    known = _known(client)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers=HERE)
    operations = [found.ok() for found in schema.get_all_operations()]
    operations.sort(key=lambda operation: operation.method == "delete")  # last: others need what is there
    answered: Counter[int] = Counter()
    wrong = []

    for operation in operations:
        try:
            _try(app, operation, known, answered, examples, chosen)
        except Exception as error:
            wrong.append(error)
    print(dict(answered))
    if wrong:
        raise ExceptionGroup("answered with 500", wrong)
    assert answered[200] and answered[201] and answered[204] and answered[404] and answered[422]


def _try(
    app: Any, operation: Any, known: dict[str, list[str]], answered: Counter[int], examples: int, chosen: int
) -> None:
    """Send requests of one operation; count in *answered* what comes back."""

    @seed(chosen)
    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(), chance=st.randoms(use_true_random=False), config=CONFIGS)
    def answer(case: Any, chance: random.Random, config: dict[str, Any]) -> None:
        for name in case.path_parameters or ():
            if name in known and chance.random() < 0.8:
                case.path_parameters[name] = chance.choice(known[name])
        if (operation.method, operation.path) == ("post", "/api/v1/sweeps") and chance.random() < 0.7:
            case.body = {"config": config}
        if operation.path.endswith("/exchange") and isinstance(case.body, dict):
            case.body["wait_s"] = 0.01
            for part in (s for s in case.body.get("said") or () if isinstance(s, dict) and chance.random() < 0.7):
                part.update(run=chance.choice(known["run"]), attempt=1)
        if operation.path.endswith("/stream"):
            answered[_began(app, case)] += 1
            return
        try:
            response = case.call(headers=HERE)
        except Exception as error:
            error.add_note(f"{case.method} {case.formatted_path} {case.query} {case.body}")
            raise
        answered[response.status_code] += 1
        said = f"{case.method} {case.formatted_path} {case.query} {case.body}: {response.status_code}"
        assert response.status_code < 500, f"{said} {response.text[:1000]}"

    answer()


def _known(client: TestClient) -> dict[str, list[str]]:
    """Return names and ids that there are, by the name of the parameter that they are for."""
    sweep = client.post("/api/v1/sweeps", json={"config": SWEEP}).json()["sweep"]
    agents = []
    for _ in range(3):
        agents.append(client.post(f"/api/v1/sweeps/{sweep}/agents", json={"name": "a"}).json()["agent"])
        client.post(f"/api/v1/agents/{agents[-1]}/exchange", json={})
    runs = [f"{sweep}_{n:05d}" for n in range(3)]
    assert client.get(f"/api/v1/runs/{runs[0]}").status_code == 200
    key = client.post("/api/v1/keys", json={"name": "k", "role": "read"}).json()
    assert client.put(f"/api/v1/runs/{runs[0]}/files/a/b.txt", content=b"x").status_code == 200
    return {
        "sweep": [sweep, "fm923t32", "to_end00"],
        "run": [*runs, "fm923t32-0", "fm923t32-3", "to_end00-1"],
        "agent": agents,
        "project": ["digits", "1"],
        "key": [str(key.get("id"))],
        "name": list(FIGURES),
        "path": ["a/b.txt", "../../etc/passwd", "a/../b", ".", "a\x00b"],
    }


def _began(app: Any, case: Any) -> int:
    """Return the status with which a stream begins; then hang up."""
    heard: list[dict[str, Any]] = []

    async def call() -> None:
        begun = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await begun.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            heard.append(message)
            if len(heard) == 2:
                begun.set()

        query = "&".join(f"{quote(str(k))}={quote(str(v))}" for k, v in (case.query or {}).items())
        path = str(case.formatted_path)
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1), "server": ("localhost", 80),
        }  # fmt: skip
        asking = asyncio.ensure_future(app(scope, receive, send))
        hanging_up = asyncio.ensure_future(begun.wait())
        await asyncio.wait({asking, hanging_up}, timeout=30.0, return_when=asyncio.FIRST_COMPLETED)
        hanging_up.cancel()
        if not asking.done():
            asking.cancel()
            await asyncio.wait({asking})
        elif asking.exception():
            raise asking.exception()

    asyncio.run(call())
    status: int = heard[0]["status"]
    assert status < 500, (case.formatted_path, case.query, status)
    return status
