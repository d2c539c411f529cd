"""``luthier server`` and its verbs, as they are typed."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from click.testing import CliRunner

from luthier.cli.commands import luthier
from luthier.server.schema import newest

SWEEP = "method: random\nrun_cap: 1\nparameters: {x: {min: 0.0, max: 1.0}}\n"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("LUTHIER_DATABASE_URL", raising=False)
    return tmp_path / "luthier"


def said(*words, code=0):
    result = CliRunner().invoke(luthier, ["server", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


@contextlib.contextmanager
def serving(tmp_path, *words):
    """A server in a process of its own; gives it and its URL."""
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "luthier", "server", "--port", "0", "--ready-file", str(ready), *words]
    with open(tmp_path / "out", "w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "PYTHONWARNINGS": "error"})
        try:
            for _ in range(600):
                if ready.exists() or process.poll() is not None:
                    break
                time.sleep(0.05)
            assert ready.exists(), (tmp_path / "out").read_text()
            told = json.loads(ready.read_text())
            assert told["pid"] == process.pid
            yield process, told["url"]
        finally:
            process.kill()
            process.wait()


def fetch(url, body=None, key=None, context=None, timeout=30):
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout, context=context) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_served_until_ctrl_c_though_an_agent_waits(tmp_path, home):
    assert "neither api nor static" in said("--entity", "api", code=2).output
    with serving(tmp_path, "--entity", "team") as (process, url):
        assert fetch(f"{url}/api/v1/health")[1]["status"] == "ok"
        assert fetch(f"{url}/graphql", {"operationName": "Viewer"})[1]["data"]["viewer"]["entity"] == "team"
        sweep = fetch(f"{url}/api/v1/sweeps", {"config": SWEEP})[1]["sweep"]
        agents = [fetch(f"{url}/api/v1/sweeps/{sweep}/agents", {"name": n})[1]["agent"] for n in "ab"]
        assert len(fetch(f"{url}/api/v1/agents/{agents[0]}/exchange", {})[1]["orders"]) == 1
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), 30) as waiting:
            path = f"/api/v1/agents/{agents[1]}/exchange"
            body = json.dumps({"wait_s": 25.0}).encode()
            waiting.sendall(
                f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            )
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            assert waiting.recv(100).startswith(b"HTTP/1.1 200")  # what is cut off for want of time gets no answer
            assert process.wait(20) == 0
    out = (tmp_path / "out").read_text()
    assert out.splitlines()[0].startswith(f"luthier server answers at {url} (sqlite:///{home}/server.db; no keys: ")
    assert out.splitlines()[1:] == ["luthier server has stopped."]
    assert not (tmp_path / "ready.json").exists()
    assert "1 sweeps" in said("doctor").output


def test_keys_open_a_server_that_has_them(tmp_path):
    said("--host", "0.0.0.0", code=2)
    assert "who reaches the proxy could" in said("--trust-proxy", "127.0.0.1", code=2).output
    said("--auth", code=2)
    key = said("key", "add", "ann", "--role", "admin").stdout.strip()
    assert "not for everybody who reaches 0.0.0.0" in said("--host", "0.0.0.0", "--no-auth", code=2).output
    assert "reaches the proxy" in said("--trust-proxy", "127.0.0.1", "--no-auth", code=2).output
    with serving(tmp_path, "--host", "0.0.0.0") as (process, url):
        assert fetch(f"{url}/api/v1/sweeps")[0] == 401
        assert fetch(f"{url}/api/v1/sweeps", key=key)[0] == 200
        key_id = said("key", "list").stdout.splitlines()[1].split()[0]
        assert said("key", "revoke", key_id).stdout == f"revoked {key_id}\n"
        for _ in range(200):
            if fetch(f"{url}/api/v1/sweeps", key=key)[0] == 401:
                break
            time.sleep(0.05)
        else:
            pytest.fail("a revoked key still opens")
        process.terminate()
        assert process.wait(20) == 0
    assert "keys travel in the clear" in (tmp_path / "out").read_text()
    said("key", "revoke", key_id, code=2)


def test_keys_are_shown_once_and_listed(home):
    added = said("key", "add", "cluster", "--project", "mnist")
    assert len(added.stdout.strip()) == 48
    assert "It is the first one" in added.stderr
    assert "It is the first one" not in said("key", "add", "other", "--role", "read").stderr
    listed = said("key", "list").stdout
    assert added.stdout.strip() not in listed
    assert "mnist" in listed
    assert "all" in listed
    assert "give 1 to 100 characters" in said("key", "add", " ", code=2).output
    assert "project='a/b'" in said("key", "add", "x", "--project", "a/b", code=2).output
    assert stat.S_IMODE((home / "server.db").stat().st_mode) == 0o600


def test_backup_and_restore(tmp_path):
    said("key", "add", "ann")
    assert "0 sweeps" in said("backup", tmp_path / "b.tar").stdout
    other = ("--database-url", tmp_path / "other.db")
    said(*other, "restore", tmp_path / "b.tar")
    assert "ann" in said("key", "list", *other).stdout
    assert "--replace" in said("restore", tmp_path / "b.tar", *other, code=2).output
    said("restore", "--replace", tmp_path / "b.tar", *other)
    assert "no backup of luthier server" in said("restore", __file__, *other, "--replace", code=2).output
    assert "cannot be written" in said("backup", tmp_path / "not/there.tar", code=2).output


def test_migrate_and_doctor(tmp_path):
    url = f"sqlite:///{tmp_path}/new.db"
    doctor = said("doctor", "--database-url", url, code=1)
    assert "error:    its tables have version None" in doctor.stdout
    assert said("migrate", "--database-url", url).stdout.startswith(f"now at {newest()}")
    assert said("migrate", "--database-url", url).stdout == f"at {newest()} already\n"
    assert "error:" not in said("doctor", "--database-url", url).stdout


def test_what_cannot_be(tmp_path):
    assert "give sqlite:///FILE" in said("--database-url", "mysql://a:secret@h/x", code=2).output
    out = said("doctor", "--database-url", "postgresql://a:secret@127.0.0.1:1/x", code=1).output
    assert "refused" in out
    assert "secret" not in out
    assert "belong together" in said("--tls-cert", "x", code=2).output
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "already in use; give another one" in said("--port", taken.getsockname()[1], code=2).output
    said("key", "add", "x")
    assert "address of this machine" in said("--host", "127.0.0.999", code=2).output


def test_https(tmp_path):
    cert, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    openssl = shutil.which("openssl")
    assert openssl
    make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([openssl, *make, *names, "-keyout", private, "-out", cert], check=True, capture_output=True)
    assert "certificate cannot be used" in said("--port", 0, "--tls-cert", private, "--tls-key", cert, code=2).output
    with serving(tmp_path, "--tls-cert", str(cert), "--tls-key", str(private)) as (_, url):
        assert url.startswith("https://127.0.0.1:")
        trusted = ssl.create_default_context(cafile=cert)
        assert fetch(f"{url}/api/v1/health", context=trusted)[1]["status"] == "ok"


def test_the_servers_logging_closes_nobody_elses_streams(tmp_path):
    class Own(logging.StreamHandler[io.StringIO]):
        def close(self):
            self.stream.close()
            super().close()

    own = Own(io.StringIO())
    logging.getLogger("of.somebody.else").addHandler(own)
    cert = tmp_path / "cert.pem"
    cert.write_text("this is no certificate")
    assert "cannot be used" in said("--port", 0, "--tls-cert", cert, "--tls-key", cert, code=2).output
    assert not own.stream.closed
