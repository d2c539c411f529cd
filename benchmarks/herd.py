"""Simulated agents, all in one process: ``python -m benchmarks.herd PORT KIND AGENTS SECONDS ROWS METRICS``.

They talk as :doc:`docs/decisions/0009-sweep-service.md` tells, each over a connection of its own, and stand for as many
machines; so the client has to cost next to nothing: HTTP by hand over asyncio's streams is a tenth of what the usual
libraries take.

``heartbeat``: each says once a second, at a time of its own, what it logged since: *ROWS* rows of *METRICS* values.
``flood``: each says it as soon as it has the answer to the last.
``churn``: each ends its run in every exchange, and waits for the next one.

It prints one line of JSON: latencies in milliseconds, errors, exchanges and rows per second.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import Any

import msgspec

ASHA = """\
method: random
metric: {name: m0, goal: minimize}
parameters: {x: {min: 0.0, max: 1.0}, layers: {values: [1, 2, 3]}}
scheduler: {name: asha, max_t: 100, grace_period: 5}
"""
PLAIN = "method: random\nmetric: {name: m0, goal: minimize}\nparameters: {x: {min: 0.0, max: 1.0}}\n"


class Line:
    """One connection that is kept, to what is below *base*."""

    def __init__(self, port: int, base: str = "/api/v1") -> None:
        self._port, self._base = port, base

    async def open(self) -> Line:
        """Connect."""
        self._in, self._out = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def post(self, path: str, body: object) -> tuple[int, Any]:
        """Send *body* as JSON, or the bytes that it is; return the status and the answer."""
        sent = body if isinstance(body, bytes) else msgspec.json.encode(body)
        head = f"POST {self._base}{path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n"
        self._out.write(f"{head}Content-Length: {len(sent)}\r\n\r\n".encode() + sent)
        answer = (await self._in.readuntil(b"\r\n\r\n")).lower()
        length = int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        return int(answer[9:12]), msgspec.json.decode(await self._in.readexactly(length) or b"null")

    def close(self) -> None:
        """Hang up."""
        self._out.close()


class Walker:
    """One agent: what it holds and has to say."""

    def __init__(self, line: Line, agent: str, rows: int, metrics: int) -> None:
        self.line, self.agent, self.rows, self.metrics = line, agent, rows, metrics
        self.held: tuple[str, int] | None = None
        self.told = 0
        self.said: list[dict[str, Any]] = []

    def log(self) -> None:
        """Have *rows* rows to tell."""
        if self.held is None:
            return
        run, attempt = self.held
        rows = [{f"m{k}": random.random() for k in range(self.metrics)} for _ in range(self.rows)]
        at = [time.time()] * self.rows
        self.said.append({"is": "rows", "run": run, "attempt": attempt, "first": self.told, "at": at, "rows": rows})
        self.told += self.rows

    def end(self, outcome: str) -> None:
        """Have the end of the run to tell."""
        assert self.held is not None
        run, attempt = self.held
        self.said.append({"is": "exited", "run": run, "attempt": attempt, "outcome": outcome, "code": 0})
        self.held = None

    async def exchange(self, wait_s: float = 0.0) -> bool:
        """Tell, and obey; return whether it went well."""
        holding = [] if self.held is None else [{"run": self.held[0], "attempt": self.held[1]}]
        body = {"holding": holding, "said": self.said, "wait_s": wait_s}
        status, reply = await self.line.post(f"/agents/{self.agent}/exchange", body)
        if status != 200 or reply["accepted"] != len(self.said):
            print(status, reply, file=sys.stderr)
            return False
        self.said = []
        for order in reply["orders"]:
            if order["is"] == "run":
                self.held, self.told = (order["run"], order["attempt"]), 0
            elif self.held is not None:
                self.end("halted")
        return True


class Herd:
    """All of them, and what they saw."""

    def __init__(self, port: int, agents: int, rows: int, metrics: int) -> None:
        self.port, self.agents, self.rows, self.metrics = port, agents, rows, metrics
        self.latencies: list[float] = []
        self.errors = self.stored = 0
        self.walkers: list[Walker] = []

    async def gather(self, config: str) -> None:
        """Make a sweep, register, and get a run each."""
        first = await Line(self.port).open()
        status, made = await first.post("/sweeps", {"config": config, "project": "benchmark"})
        assert status == 201, made
        for i in range(self.agents):
            line = await Line(self.port).open()
            status, answer = await line.post(f"/sweeps/{made['sweep']}/agents", {"name": f"agent-{i}"})
            assert status == 201, answer
            self.walkers.append(Walker(line, answer["agent"], self.rows, self.metrics))
        for walker in self.walkers:
            assert await walker.exchange() and walker.held
        first.close()

    async def beat(self, walker: Walker, start: float, end: float, *, every: float) -> None:
        """Let *walker* say every *every* seconds what it logged; 0: as fast as it goes."""
        due = start
        while due < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            walker.log()
            said = sum(len(item.get("rows", ())) for item in walker.said)
            began = time.perf_counter()
            well = await walker.exchange()
            self.note(began, well)
            self.stored += said if well else 0
            due = due + every if every else time.perf_counter()

    async def churn(self, walker: Walker, start: float, end: float) -> None:
        """Let *walker* end its run ten times a second, after one row, and get the next."""
        await asyncio.sleep(max(0.0, start - time.perf_counter()))
        while time.perf_counter() < end:
            walker.log()
            await walker.exchange()
            if walker.held is not None:
                walker.end("finished")
            began = time.perf_counter()
            well = await walker.exchange(wait_s=20.0)
            self.note(began, well and walker.held is not None)
            await asyncio.sleep(random.random() * 0.1)

    def note(self, began: float, well: bool) -> None:
        self.latencies.append(1e3 * (time.perf_counter() - began))
        self.errors += not well

    async def run(self, kind: str, seconds: float) -> dict[str, Any]:
        """Return what was seen."""
        await self.gather(ASHA if kind == "heartbeat" else PLAIN)
        start = time.perf_counter() + 0.1
        end = start + seconds
        every = {"heartbeat": 1.0, "flood": 0.0}.get(kind)
        jobs = []
        for i, walker in enumerate(self.walkers):
            at = start + i / self.agents
            jobs.append(self.churn(walker, at, end) if every is None else self.beat(walker, at, end, every=every))
        cpu = time.process_time()
        await asyncio.gather(*jobs)
        took = time.perf_counter() - start
        for walker in self.walkers:
            walker.line.close()
        seen = sorted(self.latencies)
        return {
            "p50_ms": seen[len(seen) // 2],
            "p95_ms": seen[int(len(seen) * 0.95)],
            "p99_ms": seen[int(len(seen) * 0.99)],
            "max_ms": seen[-1],
            "errors": self.errors,
            "exchanges": len(seen),
            "exchanges_per_s": len(seen) / took,
            "rows_per_s": self.stored / took,
            "herd_cpu": (time.process_time() - cpu) / took,
        }


def main() -> None:
    port, kind, agents, seconds, rows, metrics = sys.argv[1:]
    herd = Herd(int(port), int(agents), int(rows), int(metrics))
    print(json.dumps(asyncio.run(herd.run(kind, float(seconds)))))


if __name__ == "__main__":
    main()
