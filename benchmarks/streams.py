"""Simulated clients of W&B's: ``python -m benchmarks.streams PORT PROJECT CLIENTS SECONDS RATE EVERY``.

All are in one process.  Each makes a run and then says on its stream, every *EVERY* seconds and at a time of its own,
what it logged since, as W&B's client does: *RATE* rows a second, the summary with them, and every 15 s the state of its
machine.  With an *EVERY* of 0 each row is a request, sent as soon as the last one is answered.

The time of a request that waits for its forerunner counts from when it was due; that of others, from when the machine
let the client send it, which is ``late_p99_ms`` behind on a busy one.  It prints one line of JSON: latencies in
milliseconds, errors, requests and rows per second, and the rows of each run.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import msgspec

from benchmarks.herd import Line
from benchmarks.rows import METRICS, row

SYSTEM_EVERY_S = 15.0
KEPT_S = 4.0  # a server keeps a connection on which nothing is said for five seconds
NAME = "client-{}"


class Streamer:
    """One client, and how much of its run it has told."""

    def __init__(self, line: Line, project: str, number: int) -> None:
        self.line, self.project, self.number = line, project, number
        self.name = NAME.format(number)
        self.told = self.looks = 0
        self._said = time.perf_counter()

    async def begin(self) -> None:
        """Make the run."""
        variables = {"name": self.name, "project": self.project, "config": '{"lr":{"value":0.1}}'}
        body = {"query": "mutation UpsertBucket { x }", "operationName": "UpsertBucket", "variables": variables}
        status, answer = await self.line.post("/graphql", msgspec.json.encode(body))
        assert status == 200 and answer["data"]["upsertBucket"]["inserted"], answer

    def body(self, rows: int, *, looked: bool, last: bool = False) -> bytes:
        """Return what is said of the next *rows* rows; where it *looked* at the machine, that too."""
        lines = [_line(self.number, self.told + i) for i in range(rows)]
        files: dict[str, Any] = {}
        if lines:
            files["wandb-history.jsonl"] = {"offset": self.told, "content": lines}
            files["wandb-summary.json"] = {"offset": 0, "content": lines[-1:]}
        if looked:
            state = json.dumps({"_wandb": True, "_timestamp": time.time(), "system.cpu": 12.5, "system.memory": 40.0})
            files["wandb-events.jsonl"] = {"offset": self.looks, "content": [state]}
            self.looks += 1
        self.told += rows
        return msgspec.json.encode({"files": files, **({"complete": True, "exitcode": 0} if last else {})})

    async def say(self, body: bytes) -> bool:
        """Say it; return whether it was taken."""
        if time.perf_counter() - self._said > KEPT_S:
            self.line.close()
            await self.line.open()
        self._said = time.perf_counter()
        status, answer = await self.line.post(f"/files/luthier/{self.project}/{self.name}/file_stream", body)
        return status == 200 and answer == {"stopped": False}


class Streams:
    """All of them, and what they saw."""

    def __init__(self, port: int, project: str, clients: int, rate: float, every: float) -> None:
        self.port, self.project, self.clients, self.rate, self.every = port, project, clients, rate, every
        self.latencies: list[float] = []
        self.late: list[float] = []
        self.errors = 0
        self.streamers: list[Streamer] = []

    async def stream(self, streamer: Streamer, start: float, end: float) -> None:
        """Let *streamer* say what it logs until *end*, and then that it has ended."""
        due, looked = start, start - SYSTEM_EVERY_S
        while due < end:
            looks = due - looked >= SYSTEM_EVERY_S
            looked = due if looks else looked
            body = streamer.body(round(self.rate * self.every) or 1, looked=looks)
            await self._said(streamer, body, due)
            due = due + self.every if self.every else time.perf_counter()
        await self._said(streamer, streamer.body(0, looked=False, last=True), due)

    async def _said(self, streamer: Streamer, body: bytes, due: float) -> None:
        begun = due
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
            begun = time.perf_counter()
        self.late.append(1e3 * (begun - due))
        self.errors += not await streamer.say(body)
        self.latencies.append(1e3 * (time.perf_counter() - begun))

    async def run(self, seconds: float) -> dict[str, Any]:
        """Return what was seen."""
        for number in range(self.clients):
            line = await Line(self.port, "").open()
            self.streamers.append(Streamer(line, self.project, number))
            await self.streamers[-1].begin()
        start = time.perf_counter() + 0.1
        cpu = time.process_time()
        apart = (self.every or 1.0) / self.clients
        # The first time comes after an interval's rows; what is due at the very end is told too.
        jobs = [self.stream(s, start + i * apart, start + i * apart + seconds) for i, s in enumerate(self.streamers)]
        await asyncio.gather(*jobs)
        took = time.perf_counter() - start
        for streamer in self.streamers:
            streamer.line.close()
        seen, told = sorted(self.latencies), {streamer.name: streamer.told for streamer in self.streamers}
        return {
            "p50_ms": seen[len(seen) // 2],
            "p99_ms": seen[int(len(seen) * 0.99)],
            "max_ms": seen[-1],
            "late_p99_ms": sorted(self.late)[int(len(seen) * 0.99)],
            "errors": self.errors,
            "requests": len(seen),
            "requests_per_s": len(seen) / took,
            "rows_per_s": sum(told.values()) / took,
            "clients_cpu": (time.process_time() - cpu) / took,
            "told": told,
        }


def _line(run: int, place: int) -> str:
    own = {"_step": place, "_runtime": place / 100, "_timestamp": 1.79e9 + place / 100}
    return msgspec.json.encode({**row(run, place, METRICS), **own}).decode()


def main() -> None:
    port, project, clients, seconds, rate, every = sys.argv[1:]
    streams = Streams(int(port), project, int(clients), float(rate), float(every))
    print(json.dumps(asyncio.run(streams.run(float(seconds)))))


if __name__ == "__main__":
    main()
