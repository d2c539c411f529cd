"""Whatever the API's own description allows, and much that it does not: no answer is an error of the server's."""

from __future__ import annotations

import contextlib
import json
from urllib.parse import quote

import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from luthier.server.app import create_app
from luthier.server.backup import _count_on
from luthier.server.database import writing
from luthier.server.tables import projects
from tests.server.seeded import Seeded

SETTINGS = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
JSON = (dict, list, str, int, float, bool)
IDS = {"sweep": "fm923t32", "run": "fm923t32-1", "agent": "fm923t32-a0", "project": "digits"}


def asker(client, template, tried):
    """Return what sends a case, mostly to what is there."""

    def ask(case):
        tried.append(template)
        path = template.format(**{**case.path_parameters, **IDS}) if len(tried) % 3 else case.formatted_path
        body = case.body if isinstance(case.body, JSON) else None
        if isinstance(body, dict) and "wait_s" in body:
            body["wait_s"] = 0.0  # as agents do that do not wait
        text = None if body is None else json.dumps(body)
        path = quote(path[:5000], safe="/%", errors="replace")
        answer = client.request(case.method, path, params=case.query, content=text)
        assert answer.status_code < 500, (case.method, path, case.query, body, answer.text)

    return ask


def test_no_error_of_the_server(engine, database_url, tmp_path):
    seeded = Seeded(engine)
    seeded.project()
    seeded.sweep(runs=4)
    with writing(engine) as connection:
        _count_on(connection, projects)
    app = create_app(database_url, files=tmp_path / "files")
    tried: list[str] = []
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        operations = [found.ok() for found in schema.get_all_operations()]
        operations.sort(key=lambda operation: operation.method == "delete")  # then nothing is there any more
        for operation in operations:
            if operation.path.endswith("/stream"):  # which never ends
                continue
            wrong = [GenerationMode.NEGATIVE] if operation.body else []  # of a path alone nearly all is right
            for mode in (GenerationMode.POSITIVE, *wrong):
                with contextlib.suppress(Unsatisfiable):  # nothing can be wrong where nothing is asked
                    strategy = operation.as_strategy(generation_mode=mode)
                    SETTINGS(given(strategy)(asker(client, operation.path, tried)))()
    assert len(tried) > 100
