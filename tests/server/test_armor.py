"""Limits of bodies, and headers: of a plain ASGI app that reads all it is sent."""

from __future__ import annotations

import asyncio

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.responses import HTMLResponse, PlainTextResponse

from luthier.server.auth.armor import BodyLimit, SecureHeaders

LARGER = [("PUT", r"/files/.+", 100)]


async def swallow(scope, receive, send):
    read = 0
    while True:
        message = await receive()
        read += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await PlainTextResponse(str(read))(scope, receive, send)


def sent(app, *, method="POST", path="/x", headers=(), chunks=()):
    """Return status and body of what *app* answers, and how many of *chunks* it took."""
    left, answer, taken = list(chunks), [], 0

    async def receive():
        nonlocal taken
        if not left:
            return {"type": "http.request", "body": b"", "more_body": False}
        taken += 1
        return {"type": "http.request", "body": left.pop(0), "more_body": True}

    async def send(message):
        answer.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers), "query_string": b""}
    asyncio.run(app(scope, receive, send))
    return answer[0]["status"], answer[1]["body"], taken


@pytest.mark.parametrize(
    ("method", "path", "size", "status"),
    [
        ("POST", "/x", 10, 200),
        ("POST", "/x", 11, 413),
        ("PUT", "/files/a", 100, 200),
        ("PUT", "/files/a", 101, 413),
        ("POST", "/files/a", 11, 413),
        ("PUT", "/x/files/a", 11, 413),
    ],
)
def test_a_body_has_its_limit_whether_its_length_is_told_or_not(method, path, size, status):
    app = BodyLimit(swallow, 10, LARGER)
    assert sent(app, method=method, path=path, chunks=[b"x"] * size)[0] == status
    told = [(b"content-length", str(size).encode())]
    found = sent(app, method=method, path=path, headers=told, chunks=[b"x"] * size)
    assert found[0] == status
    if status == 413:
        assert found[2] == 0
        assert b"has more than" in found[1]


def test_no_more_is_read_than_the_limit():
    assert sent(BodyLimit(swallow, 10), chunks=[b"x" * 4] * 1000)[2] == 3


@pytest.mark.parametrize("length", [b"-1", b"1e9", b"", b"9" * 5000, "٣".encode(), b"0x10"])
def test_lengths_that_are_none(length):
    status, _, taken = sent(BodyLimit(swallow, 10), headers=[(b"content-length", length)], chunks=[b"x"] * 11)
    assert (status, taken <= 11) in {(400, True), (413, True)}


@pytest.fixture
def client():
    app = FastAPI()
    app.add_middleware(SecureHeaders)
    app.add_middleware(BodyLimit, limit=10)

    @app.post("/api/v1/read")
    async def read(request: Request) -> int:
        return len(await request.body())

    @app.get("/api/v1/runs/r/files/{path:path}")
    def file(path: str, kind: str) -> HTMLResponse:
        return HTMLResponse("<script>alert(1)</script>", headers={"content-type": kind})

    @app.get("/")
    def page() -> HTMLResponse:
        return HTMLResponse("<p>")

    return TestClient(app, raise_server_exceptions=False)


def test_the_limit_reaches_through_the_framework(client):
    assert client.post("/api/v1/read", content=iter([b"x" * 6])).json() == 6
    refused = client.post("/api/v1/read", content=iter([b"x" * 6] * 2))
    assert (refused.status_code, refused.json()["detail"]) == (413, "the body has more than 10 bytes")


def test_every_answer_has_its_headers(client):
    for answer in (client.get("/"), client.get("/nowhere"), client.post("/api/v1/read", json={})):
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["script-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
        assert "strict-transport-security" not in headers
    assert client.post("/api/v1/read", json={}).headers["cache-control"] == "no-store"
    https = TestClient(client.app, base_url="https://127.0.0.1")
    assert https.get("/").headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("kind", "becomes"),
    [
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("application/javascript", "application/octet-stream"),
        ("text/xml; charset=utf-8", "application/octet-stream"),
        ("image/png", "image/png"),
        ("text/plain", "text/plain"),
    ],
)
def test_what_runs_upload_never_runs_in_a_browser(client, kind, becomes):
    headers = client.get("/api/v1/runs/r/files/a/b.html", params={"kind": kind}).headers
    assert headers["content-type"].startswith(becomes)
    assert "sandbox" in headers["content-security-policy"]
    assert headers["content-disposition"] == "attachment"
