"""The client: addresses, keys, retries, errors of one line."""

from __future__ import annotations

import json
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from luthier.core.errors import BadArgument, LuthierError, ServerAway, ServerError
from luthier.sweeps import credentials
from luthier.sweeps.address import server_address, sweep_address
from luthier.sweeps.client import Client

KEY = "lut_0123456789abcdef"


class Scripted(BaseHTTPRequestHandler):
    """Answers as the test has written down, then 200."""

    protocol_version = "HTTP/1.1"
    url = ""
    script: list[Any]
    seen: list[Any]

    def log_message(self, *args):
        pass

    def _any(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.seen.append((self.command, self.path, dict(self.headers), body))
        status, headers, answer = self.script.pop(0) if self.script else (200, {}, {"fine": True})
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        if status == 0:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 (http.server calls them so)


class Silent(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass


@pytest.fixture
def waits(monkeypatch):
    """How long the client would have waited, instead of waiting."""
    found: list[float] = []
    monkeypatch.setattr("luthier.sweeps.client.time.sleep", found.append)
    return found


@pytest.fixture
def server(waits, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("LUTHIER_API_KEY", raising=False)

    class Handler(Scripted):
        script: list[Any] = []  # noqa: RUF012 (the class is this test's own)
        seen: list[Any] = []  # noqa: RUF012 (as above)

    handler = Handler
    http = Silent(("127.0.0.1", 0), handler)
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    handler.url = f"http://127.0.0.1:{http.server_address[1]}"
    yield handler
    http.shutdown()
    http.server_close()


# -- addresses ---------------------------------------------------------------------------------------------------------
def test_where_the_server_is(monkeypatch):
    monkeypatch.delenv("LUTHIER_SERVER", raising=False)
    assert server_address() == "http://127.0.0.1:8017"
    monkeypatch.setenv("LUTHIER_SERVER", "https://tune.example.org/luthier/")
    assert server_address() == "https://tune.example.org/luthier"
    assert server_address("box:9000") == "http://box:9000"


@pytest.mark.parametrize("wrong", ["ftp://x", "http://", "http://h:99999", "http://h/?a=1", 3])
def test_what_is_no_address(wrong):
    with pytest.raises(BadArgument, match=r"server=.*http://127"):
        server_address(wrong)


def test_a_key_in_the_address_is_not_repeated():
    with pytest.raises(BadArgument) as caught:
        server_address(f"http://me:{KEY}@host:1")
    assert KEY not in str(caught.value) and "luthier login" in str(caught.value)


@pytest.mark.parametrize("wrong", ["", "a b", "..", "x" * 65, "id?x=1", 3])
def test_what_is_no_sweep(wrong):
    with pytest.raises(BadArgument, match="sweep="):
        sweep_address(wrong)


# -- keys --------------------------------------------------------------------------------------------------------------
def test_the_key_goes_along_and_is_never_shown(server, monkeypatch):
    server.script += [(401, {}, {"detail": "no"})]
    client = Client(server.url, KEY)
    with pytest.raises(ServerError) as caught:
        client.sweeps()
    assert server.seen[0][2]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in f"{caught.value!r} {client!r} {vars(client).keys()}" and caught.value.status == 401
    assert "no; give another one by luthier login, or LUTHIER_API_KEY" in str(caught.value)
    server.script += [(401, {}, {"detail": "who are you"})]
    with pytest.raises(ServerError, match=r"who are you; give one by luthier login, or LUTHIER_API_KEY"):
        Client(server.url).sweeps()


def test_keys_are_kept_for_their_owner_alone(server, monkeypatch):
    place = credentials.keep(server.url + "/", KEY)
    credentials.keep("http://other:1", "second")
    assert place.stat().st_mode & 0o777 == 0o600 and place.parent.stat().st_mode & 0o077 == 0
    assert credentials.key_for(server.url) == KEY and credentials.servers() == [server.url, "http://other:1"]
    Client(server.url).call("GET", "/x")
    assert server.seen[-1][2]["Authorization"] == f"Bearer {KEY}"
    monkeypatch.setenv("LUTHIER_API_KEY", "stronger")
    Client(server.url).call("GET", "/x")
    assert server.seen[-1][2]["Authorization"] == "Bearer stronger"
    os.chmod(place, 0o644)
    with pytest.raises(LuthierError, match=r"others can read .* chmod 600"):
        credentials.key_for(server.url)


@pytest.mark.parametrize("wrong", ["", "a b", "new\nline", "kéy", "bell\x07"])
def test_what_is_no_key(server, wrong):
    with pytest.raises(BadArgument) as caught:
        credentials.keep(server.url, wrong)
    assert not wrong or wrong not in str(caught.value)


def test_a_damaged_file_of_keys_is_told(server):
    place = credentials.keep(server.url, KEY)
    place.write_text("{")
    with pytest.raises(LuthierError, match="delete it"):
        credentials.key_for(server.url)


# -- trying again ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(server, waits, status):
    server.script += [(status, {"Retry-After": "3"}, {"detail": "busy"})] * 2
    assert Client(server.url).call("GET", "/x") == {"fine": True}
    assert len(server.seen) == 3 and all(wait >= 3 for wait in waits)


def test_waits_grow_and_differ(server, waits):
    server.script += [(503, {}, {"detail": "busy"})] * 5
    Client(server.url, patience_s=60).call("GET", "/x")
    assert len(set(waits)) == 5 and waits[4] > 2 * waits[0]


def test_patience_ends(server, waits):
    server.script += [(503, {"Retry-After": "3600"}, {"detail": "down for today"})]
    with pytest.raises(ServerError, match="503: down for today"):
        Client(server.url).call("GET", "/x")
    assert not waits


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 500])
def test_a_refusal_is_final(server, status):
    server.script += [(status, {}, {"detail": f"because\nof {status}"})]
    with pytest.raises(ServerError) as caught:
        Client(server.url).call("GET", "/x")
    assert str(caught.value) == f"{server.url} says {status}: because of {status}" and len(server.seen) == 1


def test_what_may_have_been_done_is_not_done_twice(server):
    server.script += [(0, {}, b"")] * 2
    with pytest.raises(ServerAway):
        Client(server.url).call("POST", "/x", {})
    assert len(server.seen) == 1
    assert Client(server.url).call("PUT", "/x", {}) == {"fine": True}
    assert len(server.seen) == 3


def test_nobody_there(waits):
    with pytest.raises(
        ServerAway, match=r"the server http://127.0.0.1:1 does not answer .*luthier server.*LUTHIER_SERVER"
    ):
        Client("http://127.0.0.1:1", patience_s=1).call("POST", "/x", {})
    assert waits, "it never got there: asking again does no harm"


@pytest.mark.parametrize(
    "answer", [(200, {}, b"<html>"), (302, {"Location": "http://evil.example"}, b""), (200, {}, b'{"$": "tuple"}')]
)
def test_who_is_no_server_of_ours(server, answer):
    server.script += [answer]
    with pytest.raises(ServerError):
        Client(server.url, KEY).call("GET", "/x")
    assert len(server.seen) == 1


# -- requests ----------------------------------------------------------------------------------------------------------
def test_names_cannot_lead_elsewhere(server):
    client = Client(server.url)
    client.run("../keys?x=1#y")
    client.put_file("r1", "a b/ü?.zip", __file__)
    assert [path for _, path, _, _ in server.seen] == [
        "/api/v1/runs/..%2Fkeys%3Fx%3D1%23y", "/api/v1/runs/r1/files/a%20b/%C3%BC%3F.zip"
    ]  # fmt: skip


def test_values_survive(server):
    server.script += [(200, {}, {"best": {"$": "float", "v": "nan"}})]
    assert str(Client(server.url).run("r1")) == "{'best': nan}"


def test_files_travel_in_blocks(server, tmp_path):
    (tmp_path / "big").write_bytes(os.urandom(3 << 20))
    client = Client(server.url)
    server.script += [(503, {}, {}), (200, {}, {})]
    client.put_file("r1", "big", tmp_path / "big")
    assert server.seen[1][3] == (tmp_path / "big").read_bytes() and "Transfer-Encoding" not in server.seen[1][2]
    server.script += [(200, {}, server.seen[1][3])]
    client.get_file("r1", "big", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == server.seen[1][3]
    server.script += [(404, {}, {"detail": "gone"})]
    with pytest.raises(ServerError, match="gone"):
        client.get_file("r1", "big", tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "big"]


def test_states_are_checked(server):
    with pytest.raises(BadArgument, match="RUNNING, PAUSED, FINISHED, CANCELED"):
        Client(server.url).set_sweep("s", "STOPPED")  # type: ignore[arg-type]
    Client(server.url).set_sweep("s", "PAUSED")
    assert server.seen[0][0] == "PATCH" and json.loads(server.seen[0][3]) == {"state": "PAUSED"}


def test_an_error_is_one_error_and_each_flaw_has_its_line(server):
    server.script += [(422, {}, {"detail": "the sweep cannot be used:\n  line 2: method: no\n  line 3: metric: no"})]
    with pytest.raises(ServerError, match=r"cannot be used:\n  line 2: method: no\n  line 3: metric: no$"):
        Client(server.url).create_sweep("method: grod")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(ServerAway) as caught:
            Client(f"http://127.0.0.1:{free.getsockname()[1]}", patience_s=0.0).sweeps()
    assert caught.value.__cause__ is None and caught.value.__suppress_context__  # no pages of tracebacks
    assert caught.value.unsent
