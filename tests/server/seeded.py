"""Databases of a given shape: rows of all tables, and the logs of events that go with them."""

from __future__ import annotations

import json
import math
import random
from typing import TYPE_CHECKING, Any

from luthier.core import events as ev
from luthier.core.terms import Label, Outcome, Status, Then, TrialId, WorkerId
from luthier.server import tables
from luthier.store.base import Record
from luthier.store.codec import encode
from luthier.store.values import to_json

if TYPE_CHECKING:
    import sqlalchemy as sa

T0 = 1_790_000_000.0
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
YAML = """program: train.py
method: tpe
metric: {name: loss, goal: minimize}
parameters:
  lr: {distribution: log_uniform_values, min: 0.0001, max: 0.1}
  opt: {values: [adam, sgd, rmsprop]}
  layers: {min: 1, max: 5}
"""


def text(value: object) -> str:
    return json.dumps(to_json(value))


class Seeded:
    """Fills a database.

    Args:
        database: where its tables are made.
        seed: of all that is made up.
    """

    def __init__(self, database: sa.Engine, seed: int = 0) -> None:
        self.database, self.rng = database, random.Random(seed)
        self.lengths: dict[str, int] = {}

    def add(self, table: sa.Table, *rows: dict[str, Any]) -> None:
        with self.database.begin() as connection:
            connection.execute(table.insert(), list(rows))

    def project(self, name: str = "digits", number: int = 1) -> int:
        self.add(tables.projects, {"id": number, "name": name, "description": "", "created_at": T0})
        return number

    def append(self, sweep: str, at: float, *events: ev.Event) -> dict[str, Any]:
        """Return the next row of the log of *sweep*."""
        first = self.lengths.get(sweep, 0)
        self.lengths[sweep] = first + len(events)
        return {"sweep_id": sweep, "first": first, "line": encode(Record(first, at, events))}

    def sweep(
        self,
        sweep: str = "fm923t32",
        runs: int = 12,
        *,
        project: int = 1,
        name: str = "digits by TPE",
        reports: int = 8,
        going: int = 2,
        agents: int = 2,
        config: str = YAML,
        state: str | None = None,
        metric: str | None = "loss",
        extra: int = 0,
    ) -> list[str]:
        """Add a sweep whose last *going* runs are at work, every sixth was stopped early, every ninth failed.

        Args:
            sweep: its id.
            runs: how many runs.
            project: number of its project.
            name: of the sweep.
            reports: rows of history of each run.
            going: how many runs are at work.
            agents: how many agents.
            config: its YAML.
            state: of the sweep; what its runs say where None.
            metric: what is optimised.
            extra: how many further metrics each row has.
        """
        logged, rows, history, output = [], [], [], []
        workers = [f"{sweep}-a{k}" for k in range(max(1, agents))]
        at = T0
        joined = (ev.WorkerJoined(WorkerId(worker), {"slot": 1.0, "cpu": 8.0}) for worker in workers)
        logged.append(self.append(sweep, at, *joined))
        best: tuple[float, str] | None = None
        for k in range(runs):
            run, begun = f"{sweep}-{k}", at
            trial, worker = TrialId(run), WorkerId(workers[k % len(workers)])
            params: dict[str, Any] = {
                "lr": 10 ** self.rng.uniform(-4, -1),
                "opt": self.rng.choice(["adam", "sgd", "rmsprop"]),
                "layers": self.rng.randint(1, 5),
            }
            at_work, early, failed = k >= runs - going, k % 6 == 5, k % 9 == 8
            resources = {"slot": 1.0}
            logged.append(
                self.append(
                    sweep,
                    at,
                    ev.Proposed(trial, k, params, resources, Label(f"run-{k}", run, "")),
                    ev.Launched(trial, 1, worker, params, resources),
                )
            )
            count = reports // 2 if early or at_work else reports
            floor = abs(math.log10(params["lr"]) + 2.5) / 3 + (0.1 if params["opt"] == "sgd" else 0)
            summary: dict[str, Any] = {}
            for row in range(count):
                at += 1.0
                value = floor + math.exp(-row / 3) + self.rng.random() * 0.02
                summary = {"loss": value, "accuracy": max(0.0, 1 - value), "training_iteration": row + 1}
                summary |= {f"extra_{j}": self.rng.random() for j in range(extra)}
                heard = {"loss": value, "training_iteration": row + 1}
                logged.append(self.append(sweep, at, ev.Reported(trial, 1, row, heard)))
                history.append({"run_id": run, "attempt": 1, "row": row, "at": at, "metrics": text(summary)})
                line = f"epoch {row}: loss={value:.4f}"
                output.append({"run_id": run, "attempt": 1, "line": row, "at": at, "stream": "out", "text": line})
            word, reason, why, error = "finished", "", None, ""
            if at_work:
                word = "running"
            elif failed:
                word, error = "failed", "Traceback (most recent call last):\nValueError: no memory"
                logged.append(
                    self.append(
                        sweep, at, ev.Exited(trial, 1, Outcome.ERROR, error), ev.Ended(trial, Status.FAILED, "")
                    )
                )
            elif early:
                word, reason = "stopped", "loss 0.9 was not among the best third at rung 4"
                why = {"rung": 4, "metric": "loss", "value": 0.9, "cutoff": 0.5, "rank": 3, "of": 3}
                halted = ev.Halted(trial, 1, Then.STOP, reason, why=why)
                ended = ev.Ended(trial, Status.STOPPED, reason, why)
                logged.append(self.append(sweep, at, halted, ev.Exited(trial, 1, Outcome.HALTED), ended))
            else:
                logged.append(
                    self.append(sweep, at, ev.Exited(trial, 1, Outcome.FINISHED), ev.Ended(trial, Status.DONE))
                )
                if metric is not None and (best is None or summary["loss"] < best[0]):
                    best = (summary["loss"], run)
            rows.append({
                "id": run, "sweep_id": sweep, "project_id": project, "number": k, "name": f"run-{k}", "state": word,
                "config": text(params), "summary": text(summary), "value": summary.get("loss"), "attempt": 1,
                "agent_id": worker if agents else None, "created_at": begun, "started_at": begun, "heartbeat_at": at,
                "ended_at": None if at_work else at, "rows": count, "lines": count, "reason": reason,
                "why": None if why is None else text(why), "error": error,
                "exit_code": None if at_work else int(failed),
                "about": text({"program": "train.py", "python": "3.11"}),
            })  # fmt: skip
        head = {
            "id": sweep, "project_id": project, "kind": "sweep", "name": name, "config": config, "seed": 7,
            "metric": metric, "mode": None if metric is None else "min",
            "state": state or ("RUNNING" if going else "FINISHED"), "length": self.lengths[sweep], "created_at": T0,
            "updated_at": at, "ended_at": None if going else at, "expected": runs + 8,
            "best_run": best and best[1], "best_value": best and best[0],
        }  # fmt: skip
        self.add(tables.sweeps, head)
        self.add(tables.events, *logged)
        for table, made in ((tables.runs, rows), (tables.history, history), (tables.output, output)):
            if made:
                self.add(table, *made)
        if agents:
            self.add(
                tables.agents,
                *(
                    {
                        "id": worker, "sweep_id": sweep, "name": f"host-{k}", "host": f"host-{k}.example",
                        "pid": 4711 + k, "resources": text({"slot": 1, "cpu": 8, "gpu": 2}), "count": None,
                        "launched": runs // agents,
                        "state": "here", "lease_s": 300.0, "joined_at": T0, "heartbeat_at": at,
                    }
                    for k, worker in enumerate(workers)
                ),
            )  # fmt: skip
        return [str(row["id"]) for row in rows]

    def long(self, run: str = "long", rows: int = 20_000, project: int = 1) -> str:
        """Add a run without a sweep whose history has *rows* rows, with one peak and one hole."""
        self.add(tables.runs, {
            "id": run, "project_id": project, "number": 0, "name": run, "state": "finished", "config": "{}",
            "attempt": 1, "summary": text({"loss": 0.0, "eval/loss": 1.0}), "rows": rows, "created_at": T0,
            "started_at": T0, "heartbeat_at": T0 + rows, "ended_at": T0 + rows,
        })  # fmt: skip
        for begin in range(0, rows, 10_000):
            self.add(tables.history, *(
                {"run_id": run, "attempt": 1, "row": k, "at": T0 + k, "metrics": text(long_row(k))}
                for k in range(begin, min(rows, begin + 10_000))
            ))  # fmt: skip
        return run


def long_row(k: int) -> dict[str, Any]:
    """Return row *k* of a long history."""
    loss = 99.0 if k == 7777 else math.nan if k % 1000 == 500 else 1.0 / (1 + k)
    return {"loss": loss, "eval": {"loss": float(k % 10)}, 'a"b': float(k), "training_iteration": k + 1}
