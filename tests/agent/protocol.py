"""A server that keeps to the protocol: hands out what a test gives it, and remembers all that it is told."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SWEEP = "fm923t32"


@dataclass
class Known:
    """What the server knows of one attempt at a run."""

    order: dict[str, Any]
    state: str = "waiting"  # waiting, running, ended
    agent: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exits: list[dict[str, Any]] = field(default_factory=list)
    started: int = 0
    halt: str = ""

    @property
    def outcome(self) -> str:
        return self.exits[0]["outcome"] if self.exits else ""


class Protocol:
    """An HTTP server in a thread.

    Args:
        command: what the sweep's runs execute.
        lease_s: for agents that do not ask for another.
        sweep: more about the sweep.
    """

    def __init__(self, command: list[str], *, lease_s: float = 60.0, **sweep: Any) -> None:
        self.sweep = {
            "id": SWEEP, "name": "test", "project": "tests", "state": "RUNNING", "metric": "loss", "mode": "min",
            "program": None, "command": command, "environment": {}, "settings": {}, "output_metrics": False, **sweep,
        }  # fmt: skip
        self.lease_s, self.heartbeat_s = lease_s, 0.2
        self.bell = threading.Condition()
        self.runs: dict[str, Known] = {}
        self.agents: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.left: list[str] = []
        self.exchanges: list[dict[str, Any]] = []
        self.exit_when_done = True
        self.insists = False  # whether it gives orders again that are carried out
        self.deaf = 0  # how many exchanges are heard and not answered
        self.accept: int | None = None  # how many parts are taken at a time
        self.nonsense: list[tuple[int, dict[str, str], bytes]] = []  # answers to exchanges that come before true ones
        self.refuse: tuple[int, str] | None = None
        self.refuse_files: tuple[int, str] | None = None
        self.largest = 10 << 20
        self.silent = threading.Event()  # requests come, and nothing happens
        self.port = 0
        self._http: _Server | None = None
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        handler = type("Handler", (_Handler,), {"protocol": self})
        self._http = _Server(("127.0.0.1", self.port), handler)
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Go away, with all connections; what is known stays for the next :meth:`open`."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            for sock in list(self._http.connections):
                with_no_error(sock)
            self._http = None

    def add(self, run: str, **order: Any) -> Known:
        with self.bell:
            number = len(self.runs)
            attempt = order.pop("attempt", 1)
            params = order.pop("params", {"number": number})
            given = {
                "is": "run", "run": run, "attempt": attempt, "number": number, "name": run, "params": params,
                "restore": None, "resources": {}, **order,
            }  # fmt: skip
            known = self.runs[run] = Known(given)
            self.bell.notify_all()
            return known

    def halt(self, run: str, reason: str = "stopped early") -> None:
        with self.bell:
            self.runs[run].halt = reason
            self.bell.notify_all()

    def until(self, condition: Any, seconds: float = 15.0) -> None:
        """Wait until *condition* holds."""
        with self.bell:
            assert self.bell.wait_for(condition, seconds), "it did not come to that"

    # -- requests ------------------------------------------------------------------------------------------------------
    def register(self, about: dict[str, Any]) -> dict[str, Any]:
        with self.bell:
            agent = f"a{len(self.agents)}"
            self.agents[agent] = about
            lease_s = about["lease_s"] or self.lease_s
            return {"agent": agent, "lease_s": lease_s, "heartbeat_s": self.heartbeat_s, "sweep": self.sweep}

    def exchange(self, agent: str, given: dict[str, Any]) -> dict[str, Any] | None:
        with self.bell:
            self.exchanges.append(given)
            parts = given["said"] if self.accept is None else given["said"][: self.accept]
            for part in parts:
                self._take(part)
            self.bell.notify_all()
            holding = {(held["run"], held["attempt"]) for held in given["holding"]}
            if self.deaf > 0:
                self.deaf -= 1
                return None
            end = time.monotonic() + given["wait_s"]
            while True:
                orders, leave = self._orders(agent, holding), self._exit(agent)
                if orders or leave or (wait := end - time.monotonic()) <= 0:
                    break
                self.bell.wait(wait)
            return {"orders": orders, "accepted": len(parts), "exit": leave, "heartbeat_s": self.heartbeat_s}

    def leave(self, agent: str) -> None:
        with self.bell:
            self.left.append(agent)
            for known in self.runs.values():
                if known.agent == agent and known.state == "running":
                    known.state = "left"

    def _take(self, part: dict[str, Any]) -> None:
        known = self.runs.get(part["run"])
        if known is None or known.order["attempt"] != part["attempt"]:
            return
        match part["is"]:
            case "started":
                known.started += 1
            case "rows":
                assert len(part["at"]) == len(part["rows"])
                assert part["first"] <= len(known.rows), "rows are missing"
                known.rows[part["first"] :] = part["rows"]
            case "output":
                assert part["first"] <= len(known.lines), "lines are missing"
                known.lines[part["first"] :] = [text for _, _, text in part["lines"]]
            case "summary":
                known.summary.update(part["values"])
            case "exited":
                known.exits.append(part)
                known.state = "ended"

    def _orders(self, agent: str, holding: set[tuple[str, int]]) -> list[dict[str, Any]]:
        about = self.agents[agent]
        mine = [known for known in self.runs.values() if known.agent == agent and known.state == "running"]
        for known in self.runs.values():
            launched = sum(known.agent == agent for known in self.runs.values())
            full = len(mine) >= about["resources"]["slot"] or launched >= (about["count"] or 1_000_000)
            if known.state == "waiting" and not full:
                known.state, known.agent = "running", agent
                mine.append(known)
        orders = [known.order for known in mine if (known.order["run"], known.order["attempt"]) not in holding]
        if self.insists:
            orders += [known.order for known in self.runs.values() if known.agent == agent]
        for run, attempt in holding:
            held = self.runs.get(run)
            mistaken = held is None or held.state != "running" or held.order["attempt"] != attempt
            if mistaken or held.halt:
                reason = "it is not yours" if mistaken else held.halt
                orders.append({"is": "halt", "run": run, "attempt": attempt, "reason": reason, "save": False})
        return orders

    def _exit(self, agent: str) -> str | None:
        launched = [known for known in self.runs.values() if known.agent == agent]
        if any(known.state == "running" for known in launched):
            return None
        if self.exit_when_done and all(known.state == "ended" for known in self.runs.values()):
            return "the sweep is finished"
        count = self.agents[agent]["count"]
        return f"it has started {count} runs" if count is not None and len(launched) >= count else None


def with_no_error(sock: Any) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(2)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *args: Any) -> None:
        self.connections: set[Any] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    protocol: Protocol

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        protocol, parts = self.protocol, self.path.removeprefix("/api/v1/").split("/")
        size = int(self.headers["Content-Length"])
        data = self.rfile.read(size)
        if protocol.nonsense and parts[0] == "agents":
            self._raw(*protocol.nonsense.pop(0))
            return
        if protocol.refuse is not None:
            self._answer(protocol.refuse[0], {"detail": protocol.refuse[1]})
            return
        if size > protocol.largest:
            self._answer(413, {"detail": "too large"})
            return
        if b"poison" in data:
            self._answer(422, {"detail": "that cannot be read"})
            return
        while protocol.silent.is_set():
            time.sleep(0.02)
        given = json.loads(data)
        match parts:
            case ["sweeps", sweep, "agents"] if sweep == SWEEP:
                self._answer(200, protocol.register(given))
            case ["agents", agent, "exchange"] if agent in protocol.agents:
                reply = protocol.exchange(agent, given)
                if reply is None:
                    with_no_error(self.connection)
                else:
                    self._answer(200, reply)
            case ["agents", agent, "leave"] if agent in protocol.agents:
                protocol.leave(agent)
                self._answer(200, {})
            case _:
                self._answer(404, {"detail": "there is no such thing"})

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        refuse = self.protocol.refuse or self.protocol.refuse_files
        if refuse is not None:
            self._answer(refuse[0], {"detail": refuse[1]})
            return
        self.protocol.files[self.path.removeprefix("/api/v1/")] = data
        self._answer(200, {})

    def do_GET(self) -> None:
        data = self.protocol.files.get(self.path.removeprefix("/api/v1/"))
        if data is None:
            self._answer(404, {"detail": "there is no such file"})
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _raw(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        if "Content-Length" in headers:  # less came than was said
            self.close_connection = True

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
