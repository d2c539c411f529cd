"""As much of a W&B server as the client needs, on the loopback device: it notes what it is told."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Server:
    """Runs by their ids, as they were told.

    Args:
        slow: seconds that each answer takes.
    """

    def __init__(self, slow: float = 0.0) -> None:
        self.slow = slow
        self.runs: dict[str, dict[str, Any]] = {}
        self.keys: set[str] = set()
        self.url = ""

    def rows(self, run: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.runs[run]["history"]]

    def answer(self, path: str, body: Any, key: str) -> Any:
        time.sleep(self.slow)
        if key:
            self.keys.add(base64.b64decode(key.removeprefix("Basic ")).decode().partition(":")[2])
        if found := re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", path):
            self._stream(self.runs[found[1]], body)
            return {}
        return {"data": self._asked(body.get("operationName"), body.get("variables") or {})}

    def _stream(self, run: dict[str, Any], body: dict[str, Any]) -> None:
        file = body.get("files", {}).get("wandb-history.jsonl")
        if file:
            run["history"][file["offset"] :] = file["content"]
        if body.get("complete"):
            run["exits"].append(body.get("exitcode"))

    def _asked(self, operation: str | None, given: dict[str, Any]) -> dict[str, Any]:
        if operation == "Viewer":
            return {"viewer": {"id": "u", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}}
        if operation == "RunResumeStatus":
            run = self.runs.get(given["name"])
            names = {"id": "p", "name": given["project"], "entity": {"id": "e", "name": "me"}}
            return {"model": {**names, "bucket": None if run is None else self._known(given["name"], run)}}
        if operation == "UpsertBucket":
            run = self.runs.setdefault(given["name"], {"history": [], "exits": [], "config": {}})
            for name, value in given.items():
                if value is not None:
                    run[name] = value
            place = {"id": "p", "name": given["project"] or run["project"], "entity": {"id": "e", "name": "me"}}
            lines = len(run["history"])
            bucket = {"id": given["name"], "name": given["name"], "project": place, "historyLineCount": lines}
            return {"upsertBucket": {"bucket": bucket, "inserted": not lines}}
        return {}

    def _known(self, name: str, run: dict[str, Any]) -> dict[str, Any]:
        counts = {"logLineCount": 0, "historyLineCount": len(run["history"]), "eventsLineCount": 0}
        tails = {"historyTail": json.dumps(run["history"][-1:]), "eventsTail": "[]", "summaryMetrics": "{}"}
        config = run["config"] or "{}"
        return {"id": name, "name": name, **counts, **tails, "config": config, "tags": [], "wandbConfig": '{"t": 1}'}


@contextlib.contextmanager
def serving(slow: float = 0.0) -> Iterator[Server]:
    """Give a server that listens."""
    server = Server(slow)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                text = gzip.decompress(text)
            answer = server.answer(self.path, json.loads(text), self.headers.get("Authorization") or "")
            if not answer.get("data", True):
                answer = {"errors": [{"message": "that is not known here"}], "data": None}
            said = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
